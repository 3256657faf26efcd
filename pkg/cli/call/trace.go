package call

import (
	"encoding/json"
	"io"
	"time"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/event"
)

// trace is where the time of a call went.
type trace struct {
	// took is how long the call took as seen from here.
	took time.Duration
	// steps are what the nodes' runners reported, first to last.
	steps []event.Step
	// reported says that the version reports steps at all.
	reported bool
}

// traceJSON is a trace as -o json prints it, beside the response or the error.
type traceJSON struct {
	Took  float64 `json:"took"`
	Steps []Step  `json:"steps"` // null if the version does not report them
}

func (t *trace) json() *traceJSON {
	if t == nil {
		return nil
	}
	out := &traceJSON{Took: t.took.Seconds()}
	if t.reported {
		out.Steps = Steps(t.steps)
	}
	return out
}

// text is a line for each step, with its time on an axis that all share.
func (t *trace) text() string {
	total := "request took " + legible.Duration(t.took)
	switch {
	case !t.reported:
		return "No steps: the version's entrypoint does not report them. The " + total + ".\n"
	case len(t.steps) == 0:
		return "No steps: no node reported one. The " + total + ".\n"
	}
	bars := make([]term.Bar, len(t.steps))
	for i, s := range t.steps {
		bars[i] = term.Bar{Name: s.Node, Start: s.Start, Wait: s.Wait, Run: s.Run, Notes: notes(s)}
	}
	return term.Timeline("node", bars) + "The " + total + ", as measured here.\n"
}

// notes are what is special about a step.
func notes(s event.Step) (notes []string) {
	if s.Outcome != event.OutcomeOK {
		notes = append(notes, s.Outcome.String())
	}
	if s.Cold {
		notes = append(notes, "first request")
	}
	return notes
}

// writeWith writes the response, one JSON object, with what else was asked for on one line.
func writeWith(w io.Writer, response []byte, t *trace, i *inspected) error {
	return term.NewEncoder(w).Encode(struct {
		Response json.RawMessage `json:"response"`
		*traceJSON
		*inspectedJSON
	}{response, t.json(), i.json()})
}
