// Package backlog makes what waits in the queue of a version with durable delivery fit for a page.
package backlog

import (
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/port"
)

// Durable is the delivery of versions that have a queue.
const Durable = "Durable"

const (
	// maxName bounds a name, and maxText a sentence, in bytes.
	maxName, maxText = 100, 500
	// aged is after what time the age of an event is worth a look: as the alert KrtQueueWaits.
	aged = 10 * time.Minute
)

// Queue is what a queue has.
type Queue struct {
	// Events counts all, Room says how many bytes they are of how many there may be.
	Events int64
	Room   string
	// Stream is the queue's name in NATS, Replicas on how many servers it is.
	Stream   string
	Replicas int
	Steps    []Step
	// Former says that events wait for steps that the version does not have any more, Unsaved that letters
	// wait for the store.
	Former, Unsaved bool
	// Notes are sentences about what is not known.
	Notes []string
}

// Step is what waits for a step of a workflow.
type Step struct {
	// ID is that of the element.
	ID, Workflow, Node string
	// Number is its place in the workflow, from 1.
	Number                     int
	Waiting, Work, Redelivered int64
	// Oldest is when its oldest event was published; zero if there is none. Aged says that this is long ago.
	Oldest time.Time
	Aged   bool
	Dead   int64
	// Former is a step that the version does not have any more, Postbox what is not a node: letters that
	// the store has not accepted yet.
	Former, Postbox bool
}

// New makes a report fit for a page.
func New(r *port.Report, now time.Time) *Queue {
	q := &Queue{
		Events: r.Events, Room: fmt.Sprintf("%s of %s", legible.Bytes(r.Bytes), legible.Bytes(r.MaxBytes)),
		Stream: legible.Line(r.Stream, maxName), Replicas: r.Replicas,
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		postbox := s.Node == queue.Postbox
		if s.Events() == 0 && (postbox || s.Former && s.Dead == 0) {
			continue
		}
		q.Former = q.Former || s.Former && s.Events() > 0
		q.Unsaved = q.Unsaved || postbox
		q.Steps = append(q.Steps, Step{
			ID:       fmt.Sprintf("step:%s:%d:%s", s.Workflow, s.Index, s.Node),
			Workflow: legible.Line(s.Workflow, maxName), Node: legible.Line(s.Node, maxName), Number: s.Index + 1,
			Waiting: s.Waiting, Work: s.Work, Redelivered: s.Redelivered, Dead: s.Dead,
			Oldest: s.Oldest, Aged: !s.Oldest.IsZero() && now.Sub(s.Oldest) > aged, Former: s.Former, Postbox: postbox,
		})
	}
	if r.Problem != "" {
		q.Notes = append(q.Notes, legible.Line(r.Problem, maxText))
	}
	if r.More {
		q.Notes = append(q.Notes, "There are more dead letters than were counted.")
	}
	return q
}
