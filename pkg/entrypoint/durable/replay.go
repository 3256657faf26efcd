package durable

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
)

// Replay has a dead letter's event go on at the step that failed, as work that nobody waits for,
// with a new deadline. It returns once the queue has it. The letter stays until the work has
// succeeded, and is replaced if it fails again. A workflow that has other nodes now is refused.
func (c *Carrier) Replay(ctx context.Context, l letter.Letter) error {
	s := c.find(queue.Step{Workflow: l.Workflow, Index: l.Step, Node: l.Node})
	if s == nil {
		return fmt.Errorf("cannot replay %q: workflow %q of version %q has no node %q as step %d",
			l.ID, l.Workflow, c.options.Version, l.Node, l.Step)
	}
	e, err := eventOf(l.Event)
	if err != nil {
		return fmt.Errorf("cannot replay %q: the letter has no event: %w", l.ID, err)
	}
	e.Message, e.Replied, e.Deadline = l.Message, true, time.Now().Add(c.options.Background)
	header := make(http.Header, 20)
	e.WriteHeader(header)
	note{async: true, begin: time.Now(), replays: l.Replays + 1, origin: l.ID, cause: l.CausationID}.write(header)
	err = c.publish(ctx, client.Message{
		Step: s.name, ID: queue.ID(e.CorrelationID, l.Step, l.Replays+1), Header: header, Data: l.Data,
	})
	if err != nil {
		return fmt.Errorf("cannot replay %q: the queue %s does not accept it: %w", l.ID, c.client.URL(), err)
	}
	return nil
}
