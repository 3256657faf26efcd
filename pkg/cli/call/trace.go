package call

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/runner/event"
)

// How an entrypoint is asked for the steps of a request, and where it reports them.
const (
	traceKey = "krt-trace"
	stepsKey = "krt-steps"
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

func newTrace(trailer metadata.MD, took time.Duration) *trace {
	values := trailer.Get(stepsKey)
	steps := event.Steps(strings.Join(values, ",")).AppendTo(nil)
	return &trace{took: took, steps: steps, reported: len(values) > 0}
}

// traceJSON is a trace as -o json prints it, beside the response or the error.
type traceJSON struct {
	Took  float64 `json:"took"`
	Steps []Step  `json:"steps"` // null if the version does not report them
}

func (t *trace) json() traceJSON {
	out := traceJSON{Took: t.took.Seconds()}
	if t.reported {
		out.Steps = Steps(t.steps)
	}
	return out
}

// barWidth is how many characters wide the time from the first node's start to the last
// one's end is.
const barWidth = 40

// text is a line for each step, with its time on an axis that all share: first it waited
// for its turn (░), then its handler ran (█).
func (t *trace) text() string {
	total := "request took " + term.Duration(t.took)
	switch {
	case !t.reported:
		return "No steps: the version's entrypoint does not report them. The " + total + ".\n"
	case len(t.steps) == 0:
		return "No steps: no node reported one. The " + total + ".\n"
	}
	begin, end, width := t.steps[0].Start, time.Time{}, len("node")
	for _, s := range t.steps {
		width = max(width, len(s.Node))
		if s.Start.Before(begin) {
			begin = s.Start
		}
		if over := s.Start.Add(s.Wait).Add(s.Run); over.After(end) {
			end = over
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%-*s  %-*s  %8s  %8s  %8s\n", width, "node", barWidth, "", "wait", "run", "total ms")
	for _, s := range t.steps {
		fmt.Fprintf(&b, "%-*s  %s  %8s  %8s  %8s%s\n", width, s.Node, bar(s, begin, end),
			term.Milliseconds(s.Wait), term.Milliseconds(s.Run), term.Milliseconds(s.Wait+s.Run), notes(s))
	}
	fmt.Fprintf(&b, "The %s, as measured here.\n", total)
	return b.String()
}

// bar draws a step on the axis from begin to end.
func bar(s event.Step, begin, end time.Time) string {
	scale := float64(max(end.Sub(begin), 1))
	at := func(t time.Time) int {
		return min(max(int(barWidth*float64(t.Sub(begin))/scale+0.5), 0), barWidth)
	}
	ready := s.Start.Add(s.Wait)
	from, turn, to := at(s.Start), at(ready), at(ready.Add(s.Run))
	if turn == to { // it ran, however short: that is seen
		turn = max(min(turn, barWidth-1), 0)
		from, to = min(from, turn), turn+1
	}
	return strings.Repeat(" ", from) + strings.Repeat("░", turn-from) + strings.Repeat("█", to-turn) + strings.Repeat(" ", barWidth-to)
}

// notes are what is special about a step.
func notes(s event.Step) string {
	var text string
	if s.Outcome != event.OutcomeOK {
		text = "  " + s.Outcome.String()
	}
	if s.Cold {
		text += "  first request"
	}
	return text
}

// withTrace returns the response, one JSON object, together with t as one line.
func withTrace(response []byte, t *trace) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		Response json.RawMessage `json:"response"`
		traceJSON
	}{response, t.json()})
	return out.Bytes(), err
}
