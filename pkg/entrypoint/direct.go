package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner/event"
)

// direct is the delivery that calls each step itself, in order: n exchanges for
// n steps and nothing else.
type direct struct {
	*exchange
	steps []directStep
}

type directStep struct {
	node    string
	address *url.URL
}

func newDirect(x *exchange, steps []Step) (*direct, error) {
	d := &direct{exchange: x}
	for _, s := range steps {
		address, err := url.Parse(s.URL)
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", s.Node, err)
		}
		if address.Host == "" {
			return nil, fmt.Errorf("node %q: its URL %q has no host", s.Node, s.URL)
		}
		if address.Path == "" {
			address.Path = "/"
		}
		d.steps = append(d.steps, directStep{s.Node, address})
	}
	return d, nil
}

// Deliver implements [Delivery].
func (d *direct) Deliver(ctx context.Context, first *Parcel, step *atomic.Int32) (*Parcel, error) {
	p := *first
	for i := range d.steps {
		step.Store(int32(i))
		next, err := d.try(ctx, d.steps[i].address, &p)
		p.Data.Free()
		if err != nil {
			return nil, nodeFailure(d.steps[i].node, err)
		}
		if next == nil || next.Event.Type != event.TypeMessage {
			return next, nil
		}
		// What ties an event to its request is ours to say, not the node's.
		next.Event.CorrelationID = first.Event.CorrelationID
		next.Event.Workflow = first.Event.Workflow
		next.Event.Deadline = first.Event.Deadline
		next.Event.ReplyToken = first.Event.ReplyToken
		p = *next
	}
	return &p, nil
}

// nodeFailure says that a node could not be made to answer.
func nodeFailure(node string, err error) *event.Failure {
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Node: node}
	switch {
	case errors.Is(err, event.ErrTooLarge):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge
		f.Text = fmt.Sprintf("node %q: its answer is too large: %v", node, err)
	case errors.As(err, new(*answerError)), errors.As(err, new(*malformedError)):
		f.Text = fmt.Sprintf("node %q %v", node, err)
	default:
		f.Text = fmt.Sprintf("node %q cannot be reached: %v", node, err)
	}
	return f
}
