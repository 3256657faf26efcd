package record

import (
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// NodeTime is how long a request was at one node of its workflow.
type NodeTime struct {
	// Node is the node's name.
	Node string
	// Start is when the request arrived there.
	Start time.Time
	// Wait is how long it waited for its turn, Run how long the handler ran after that.
	// Unless Reported is set, Wait is zero and Run is all the time from the first attempt
	// to the last response, the way there and back included.
	Wait, Run time.Duration
	// Reported says that the node's runner reported the times.
	Reported bool
	// Outcome is how the handler ended; [event.OutcomeError] if nothing was reported and
	// the last attempt failed, or the request failed at the node.
	Outcome event.Outcome
	// Cold is the first event since the node's process was ready.
	Cold bool
	// Attempts is how often the request was sent to the node; 0 if that is not known.
	Attempts int
}

// NodeTimes returns one element for each node that the request is known to have been at, in
// the order in which it was there: what runners reported, and of other nodes what the
// entrypoint saw.
func (r *Record) NodeTimes() []NodeTime {
	times := make([]NodeTime, 0, len(r.Steps))
	for _, send := range r.Sends {
		if send.Node == "" { // a Sequence: which nodes it has reached is not known
			continue
		}
		at := slices.IndexFunc(times, func(t NodeTime) bool { return t.Node == send.Node })
		if at < 0 {
			at = len(times)
			times = append(times, NodeTime{Node: send.Node, Start: send.Begin})
		}
		t := &times[at]
		t.Attempts++
		t.Run, t.Outcome = max(send.End.Sub(t.Start), 0), event.OutcomeOK
		if send.Result != ResultOK || r.Code != code.Code_OK && r.Node == send.Node {
			t.Outcome = event.OutcomeError
		}
	}
	for _, step := range r.Steps {
		at := slices.IndexFunc(times, func(t NodeTime) bool { return t.Node == step.Node })
		if at < 0 {
			at = len(times)
			times = append(times, NodeTime{Node: step.Node})
		}
		t := &times[at] // a later entry of the node is of its later attempt, or of the same once it ended
		t.Start, t.Wait, t.Run, t.Reported = step.Start, step.Wait, step.Run, true
		t.Outcome, t.Cold = step.Outcome, step.Cold
	}
	slices.SortStableFunc(times, func(a, b NodeTime) int { return a.Start.Compare(b.Start) })
	return times
}
