package durable

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Replay has a dead letter's event go on at the step that failed, as work that nobody waits for,
// with a new deadline. It returns once the queue has it. The letter stays until the work has
// succeeded, and is replaced if it fails again. A workflow that has other nodes now is refused; a
// [mail.Refusal] says that the queue does not accept it now.
func (c *Carrier) Replay(ctx context.Context, l letter.Letter) error {
	o := mail.Origin{Version: c.options.Version, Workflow: l.Workflow}
	for _, s := range c.steps {
		if s.name.Workflow == l.Workflow {
			o.Nodes = s.nodes
		}
	}
	e, err := o.Replay(&l)
	if err != nil {
		return err
	}
	// The carrier keeps what comes of it: no runner has to ask for that.
	e.Keep, e.Replied, e.Deadline = event.KeepNothing, true, time.Now().Add(c.options.Background)
	header := make(http.Header, 20)
	e.WriteHeader(header)
	note{async: true, begin: time.Now(), replays: l.Replays + 1, origin: l.ID, cause: l.CausationID}.write(header)
	at := queue.Step{Workflow: l.Workflow, Index: l.Step, Node: o.Nodes[l.Step]}
	err = c.publish(ctx, client.Message{
		Step: at, ID: queue.ID(e.CorrelationID, l.Step, l.Replays+1), Header: header, Data: l.Data,
	}, 0)
	switch {
	case errors.Is(err, queue.ErrTooLarge): // also later
		return fmt.Errorf("the queue %s does not accept it: %w", c.client.URL(), err)
	case err != nil:
		return &mail.Refusal{
			Status: http.StatusServiceUnavailable, Text: fmt.Sprintf("the queue %s does not accept it: %v", c.client.URL(), err),
		}
	}
	return nil
}
