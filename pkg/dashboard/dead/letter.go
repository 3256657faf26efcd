package dead

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/message"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/letter/port"
	"krt.dev/kn-krt/pkg/runner/clip"
)

// maxValue bounds what is shown of the value of an attribute, in bytes.
const maxValue = 2 << 10

// Letter is one letter.
type Letter struct {
	Row
	// Request is the id of its request.
	Request string
	// Reason is that of the failure, Cause its whole text, and CausedBy the id of what has caused the
	// request; each may be empty.
	Reason, Cause, CausedBy string
	// Attributes are those of its event, in the order of their names.
	Attributes []Attribute
	// Message is what the failing step received; nil if that was not kept.
	Message *message.View
	// Redacted says that a value of it must not be shown.
	Redacted bool
	// Stuck is why it cannot be replayed; empty if nothing is known against it.
	Stuck string
}

// Attribute is one of an event.
type Attribute struct{ Name, Value string }

// New makes a letter of the version fit for a page.
func New(l *port.Letter, v *source.Version) *Letter {
	shown := &Letter{Row: Rows(pageOf(l))[0], CausedBy: l.CausationID, Stuck: stuck(l, v)}
	shown.Request, _, _ = strings.Cut(l.ID, "/")
	if l.Status != nil {
		shown.Reason, shown.Cause = l.Status.Reason, l.Status.Message
	}
	for _, name := range slices.Sorted(maps.Keys(l.Event)) {
		shown.Attributes = append(shown.Attributes, Attribute{name, clip.Text(l.Event[name], maxValue)})
	}
	if l.Payload != nil {
		m := inspection.Message{Title: "Input of " + legible.Line(l.Node, maxName), Payload: l.Payload}
		view := message.New(m, message.Most, "kn krt dead-letters with the letter's id")
		shown.Message, shown.Redacted = &view, l.Payload.Redacted()
	}
	return shown
}

// stuck is why a letter cannot be replayed as the version is now. The entrypoint decides; this is for the
// button only.
func stuck(l *port.Letter, v *source.Version) string {
	if l.Message == "" {
		return "Its message was not kept. Send the request again."
	}
	at := slices.IndexFunc(v.Workflows, func(w source.Workflow) bool { return w.Name == l.Workflow })
	switch {
	case at < 0:
		return fmt.Sprintf("The version has no workflow %s any more.", legible.Line(l.Workflow, maxName))
	case l.Step >= len(v.Workflows[at].Nodes), l.Node != "" && v.Workflows[at].Nodes[l.Step] != l.Node:
		return fmt.Sprintf("The workflow has other nodes now: %s.", strings.Join(v.Workflows[at].Nodes, ", "))
	}
	return ""
}
