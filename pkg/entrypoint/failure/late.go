package failure

import (
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Late is a request whose time is over: its deadline has passed, or the entrypoint stops.
type Late struct {
	Of

	// Stopping says that the entrypoint stops, Background that no client waited: how long the work might
	// take is in BackgroundTimeout.
	Stopping, Background bool
	BackgroundTimeout    time.Duration
	// Node is at work, and Doing says what it does; empty: nobody knows.
	Node, Doing string
	// Accepted is how long the node, or the Sequence, took to accept the event, if no reply came after that.
	Accepted time.Duration
}

// Status is the failure.
func (l *Late) Status() *spb.Status {
	f := event.Failure{
		Code: code.Code_DEADLINE_EXCEEDED, Reason: event.ReasonDeadline, Node: l.Node, Workflow: l.Workflow, Version: l.Version,
		Text: fmt.Sprintf("workflow %q did not respond in time", l.Workflow),
	}
	switch {
	case l.Stopping:
		f.Code, f.Reason = code.Code_UNAVAILABLE, event.ReasonStopping
		f.Text = fmt.Sprintf("workflow %q did not respond before the version stopped", l.Workflow)
	case l.Background:
		f.Text = fmt.Sprintf("workflow %q has not ended within %s, the background timeout", l.Workflow, l.BackgroundTimeout)
	}
	by := "its Sequence"
	if l.Node != "" {
		by = fmt.Sprintf("node %q", l.Node)
	}
	switch {
	case l.Accepted > 0:
		f.Text += fmt.Sprintf(": %s accepted the event within %s, and no reply came", by, l.Accepted.Round(time.Millisecond))
	case l.Node != "":
		f.Text += ": " + by + " " + l.Doing
	}
	return f.Status()
}

// Cold is the failure of a request that waits for a node without a pod: the named one or, if its name is empty,
// any of all. It is nil if there is none.
func (o Of) Cold(nodes *cold.Nodes, node string, all []string) *spb.Status {
	if node != "" {
		all = []string{node}
	}
	n, found := nodes.Find(all...)
	if !found {
		return nil
	}
	f := n.Failure()
	f.Version, f.Workflow = o.Version, o.Workflow
	return f.Status()
}

// Overload is the failure of a request for which there is no place among so many.
func (o Of) Overload(limit int) *spb.Status {
	return event.Failure{
		Code: code.Code_RESOURCE_EXHAUSTED, Reason: event.ReasonOverload, Workflow: o.Workflow, Version: o.Version,
		Text: fmt.Sprintf("the version is processing %d requests, its limit; try again later", limit),
	}.Status()
}

// WrongOutput is the failure of a node whose response is not the rpc's output.
func (o Of) WrongOutput(node, text string) *spb.Status {
	return event.Failure{
		Code: code.Code_INTERNAL, Reason: event.ReasonWrongOutput, Node: node, Workflow: o.Workflow, Version: o.Version,
		Text: fmt.Sprintf("error in '%s': %s", node, text),
	}.Status()
}

// Idle is the failure of a stream in which no message has come for so long; node is at work, or "" if
// nobody knows.
func (o Of) Idle(node string, idle time.Duration) *spb.Status {
	f := event.Failure{
		Code: code.Code_DEADLINE_EXCEEDED, Reason: event.ReasonDeadline, Node: node, Workflow: o.Workflow, Version: o.Version,
		Text: fmt.Sprintf("no node of workflow %q has sent a message for %s", o.Workflow, idle),
	}
	if node != "" {
		f.Text = fmt.Sprintf("node %q has sent no message for %s", node, idle)
	}
	return f.Status()
}
