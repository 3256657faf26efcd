package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

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
	node     string
	address  *url.URL
	shortcut *shortcut // nil without one
}

func (e *Entrypoint) newDirect(steps []Step) (*direct, error) {
	d := &direct{exchange: e.newExchange()}
	straight := e.newExchange()
	straight.client = e.straight
	for _, s := range steps {
		step := directStep{node: s.Node}
		var err error
		if step.address, err = nodeURL(s.URL); err != nil {
			return nil, fmt.Errorf("node %q: its URL %w", s.Node, err)
		}
		if s.Shortcut != "" {
			address, err := nodeURL(s.Shortcut)
			if err != nil {
				return nil, fmt.Errorf("node %q: its shortcut %w", s.Node, err)
			}
			step.shortcut = &shortcut{exchange: straight, node: s.Node, address: address, log: e.log}
		}
		d.steps = append(d.steps, step)
	}
	return d, nil
}

func nodeURL(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("cannot be used: %w", err)
	}
	if address.Host == "" {
		return nil, fmt.Errorf("%q has no host", text)
	}
	if address.Path == "" {
		address.Path = "/"
	}
	return address, nil
}

// Deliver implements [Delivery].
func (d *direct) Deliver(ctx context.Context, first *Parcel, progress *Progress) (*Parcel, error) {
	p := *first
	for i := range d.steps {
		progress.reach(i)
		payload, sending := d.hold(&p)
		progress.onReply(payload.detach)
		if progress.replied() {
			payload.detach()
		}
		next, err := d.try(ctx, &d.steps[i], sending, payload, progress)
		payload.free()
		if err != nil {
			return nil, nodeFailure(d.steps[i].node, err)
		}
		if next == nil || next.Event.Type != event.TypeMessage {
			return next, nil
		}
		// What ties an event to its request is ours to say, not the node's; try
		// stamps it.
		next.Event.CorrelationID = first.Event.CorrelationID
		next.Event.Workflow = first.Event.Workflow
		next.Event.ReplyToken = first.Event.ReplyToken
		next.Event.Trace = first.Event.Trace
		p = *next
	}
	return &p, nil
}

// try posts p until an answer is final, the retries are used up or ctx is done. A
// node that is busy has not taken p: it is tried for longer, and that is no retry.
func (d *direct) try(ctx context.Context, to *directStep, p *Parcel, payload *payload, progress *Progress) (*Parcel, error) {
	patient := patience{begin: time.Now(), delay: d.retry.Delay}
	for attempt, delay := 0, d.retry.Delay; ; {
		progress.stamp(p.Event)
		answer, err := d.call(ctx, to, p)
		switch {
		case err == nil || ctx.Err() != nil || !retryable(err) || !payload.again():
			return answer, err
		case busy(err):
			if !patient.wait(ctx, d.exchange, progress) {
				return nil, err
			}
		case attempt >= d.retry.Count || !d.pause(ctx, delay):
			return nil, err
		default:
			attempt, delay = attempt+1, delay*2
		}
	}
}

// call posts p once: by the shortcut, and where that takes no connection, so
// that nothing has been sent, to the node's own address.
func (d *direct) call(ctx context.Context, to *directStep, p *Parcel) (*Parcel, error) {
	if to.shortcut != nil && to.shortcut.open() {
		if answer, went, err := to.shortcut.once(ctx, p); went {
			return answer, err
		}
	}
	return d.once(ctx, to.address, p)
}

// nodeFailure says that a node could not be made to answer.
func nodeFailure(node string, err error) *event.Failure {
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Node: node}
	switch {
	case errors.Is(err, event.ErrTooLarge):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge
		f.Text = fmt.Sprintf("node %q: its answer is too large: %v", node, err)
	case errors.Is(err, errBudget):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonOverload
		f.Text = fmt.Sprintf("the response of node %q cannot be taken: %v", node, err)
	case errors.As(err, new(*answerError)), errors.As(err, new(*malformedError)):
		f.Text = fmt.Sprintf("node %q %v", node, err)
	default:
		f.Text = fmt.Sprintf("node %q cannot be reached: %v", node, err)
	}
	return f
}
