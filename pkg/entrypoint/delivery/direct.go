package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// direct is the delivery that calls each step itself, in order: n exchanges for
// n steps and nothing else.
type direct struct {
	*exchange
	steps []directStep
}

// Step is a node's place in a workflow.
type Step struct {
	// Node is the node's name.
	Node string
	// URL is the address at which its runner accepts events. Only direct delivery
	// uses it.
	URL string
	// Shortcut, if not empty, is the address of the node's only pod, past what
	// Knative puts in front of it. URL is used while it accepts no connection.
	Shortcut string
	// Pods, if not empty, is the address of the node's pods, past the ingress: its host resolves to those that
	// are ready, and its port is queue-proxy's. URL is used while none of them accepts requests.
	Pods string
	// TimeoutSeconds is after how many seconds whoever runs the node ends a call of it; 0: it is not known. Durable
	// delivery tries again where no response has come by then.
	TimeoutSeconds int64
}

type directStep struct {
	node     string
	last     bool // of the workflow
	address  *url.URL
	shortcut *shortcut // nil without one
	balanced *balanced // nil without one
}

// Direct returns the delivery that calls each of steps itself.
func (s *Sender) Direct(steps []Step) (Delivery, error) {
	d := &direct{exchange: s.exchange}
	for i, step := range steps {
		to, err := s.step(step)
		if err != nil {
			return nil, err
		}
		to.last = i == len(steps)-1
		d.steps = append(d.steps, *to)
	}
	return d, nil
}

// step returns how a node is reached.
func (s *Sender) step(step Step) (*directStep, error) {
	to := &directStep{node: step.Node}
	var err error
	if to.address, err = nodeURL(step.URL); err != nil {
		return nil, fmt.Errorf("node %q: its URL %w", step.Node, err)
	}
	if step.Shortcut != "" {
		address, err := nodeURL(step.Shortcut)
		if err != nil {
			return nil, fmt.Errorf("node %q: its shortcut %w", step.Node, err)
		}
		to.shortcut = &shortcut{exchange: s.podsOf(step.Node, s.pods), node: step.Node, address: address, log: s.log}
	}
	if step.Pods != "" {
		address, err := nodeURL(step.Pods)
		if err != nil {
			return nil, fmt.Errorf("node %q: the address of its pods %w", step.Node, err)
		}
		to.balanced = s.balance(step.Node, address)
	}
	return to, nil
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
func (d *direct) Deliver(ctx context.Context, r *Request) (*Parcel, error) {
	p, first := r.First, r.First.Event
	p.Sent = r.Accept
	r.reserve(len(d.steps))
	for i := r.From; i < len(d.steps); i++ {
		payload, outgoing := d.hold(&p)
		r.begin(i, payload.Detach)
		if r.Detached() {
			payload.Detach()
		}
		next, err := d.try(ctx, r, &d.steps[i], outgoing, payload)
		if err != nil {
			r.bury(outgoing.Event, payload)
		}
		payload.Free()
		if err != nil {
			return nil, NodeFailure(d.steps[i].node, err)
		}
		if next == nil || next.Event.Type != event.TypeMessage {
			return next, nil
		}
		if r.Passed != nil {
			r.Passed(i, next)
		}
		// What ties an event to its request is set here, not by the node; try stamps
		// it.
		next.Event.CorrelationID = first.CorrelationID
		next.Event.Workflow = first.Workflow
		next.Event.ReplyToken = first.ReplyToken
		next.Event.Trace, next.Event.Inspect, next.Event.Mirror = first.Trace, first.Inspect, first.Mirror
		next.Event.Stream, next.Event.Keep = first.Stream, first.Keep
		share(next.Event, p.Event)
		p = *next
	}
	return &p, nil
}

// share has e, which follows before, keep the text of before where its own is equal, so
// that less of what was received stays in memory while the next node has it.
func share(e, before *event.Event) {
	for _, s := range [...]struct {
		of *string
		as string
	}{
		{&e.ID, before.ID}, {&e.CausationID, before.ID}, {&e.Type, event.TypeMessage}, {&e.Message, before.Message},
	} {
		if *s.of == s.as {
			*s.of = s.as
		}
	}
}

// try posts p until a response is final, the retries are used up or ctx is done. A
// node that is busy has not accepted p: it is tried for longer, and that does not
// count as a retry. One that has sent a message of a stream is not tried again.
func (d *direct) try(ctx context.Context, r *Request, to *directStep, p *Parcel, payload *memory.Payload) (*Parcel, error) {
	patient := patience{begin: time.Now(), delay: d.retry.Delay}
	stream := r.streaming(to, p, payload)
	for attempt, retries, delay := 1, 0, d.retry.Delay; ; attempt++ {
		r.busy.Store(nil)
		r.stamp(p.Event)
		s := r.sending(attempt)
		s.streaming = stream
		response, err := d.call(ctx, to, p, &s)
		err = r.unlessOver(ctx, err)
		pause, again := time.Duration(0), false
		switch {
		case err == nil || ctx.Err() != nil || !retryable(err) || stream.begun() || !payload.Resend():
		case busy(err):
			pause, again = patient.next(r, err)
		case retries < d.retry.Count:
			pause, again = delay, true
			retries, delay = retries+1, 2*delay
		}
		r.sent(&s, err, again)
		if again && d.pause(ctx, pause) {
			continue
		}
		if response != nil {
			response.Event.Steps = r.report(response.Event.Steps, to.node)
		} else {
			r.report(s.steps, to.node)
			r.streamed = stream.endedWell()
		}
		return response, err
	}
}

// unlessOver returns err, or the cause of ctx's end if that is why a stream has broken off: nodes keep the
// deadline, too.
func (r *Request) unlessOver(ctx context.Context, err error) error {
	if err != nil && errors.As(err, new(*stream.Cut)) && r.Over(ctx) {
		return context.Cause(ctx)
	}
	return err
}

// call posts p once: by the shortcut or to one of the pods, and where these accept no connection,
// so that nothing has been sent, to the node's own address.
func (x *exchange) call(ctx context.Context, to *directStep, p *Parcel, s *send) (*Parcel, error) {
	if to.shortcut != nil && to.shortcut.open() {
		if response, sent, err := to.shortcut.post(ctx, p, s); sent {
			s.shortcut = true
			return response, err
		}
	}
	if to.balanced != nil {
		if response, sent, err := to.balanced.post(ctx, p, s); sent {
			s.shortcut = true
			return response, err
		}
	}
	if x.arrives != nil {
		x.arrives(to.node)
	}
	return x.post(ctx, to.address, p, s)
}

// NodeFailure is the failure of a node whose response could not be had because of
// err.
func NodeFailure(node string, err error) *event.Failure {
	f := &event.Failure{Code: code.Code_UNAVAILABLE, Reason: event.ReasonUnavailable, Node: node}
	switch {
	case errors.Is(err, event.ErrTooLarge):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge
		f.Text = fmt.Sprintf("node %q: its response is too large: %v%s", node, err, event.LimitNamed)
	case errors.Is(err, memory.ErrFull):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonOverload
		f.Text = fmt.Sprintf("the response of node %q cannot be accepted: %v", node, err)
	case errors.Is(err, stream.ErrTooMany):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonStreamLimit
		f.Text = fmt.Sprintf("node %q: %v", node, err)
	case errors.As(err, new(*typeError)):
		f.Code, f.Reason = code.Code_INTERNAL, event.ReasonWrongOutput
		f.Text = fmt.Sprintf("error in '%s': %v", node, err)
	case errors.As(err, new(*responseError)), errors.As(err, new(*malformedError)), errors.As(err, new(*stream.Cut)):
		f.Text = fmt.Sprintf("node %q %v", node, clip.Text(err.Error(), maxFailure))
	default:
		f.Text = fmt.Sprintf("node %q cannot be reached: %v", node, clip.Text(err.Error(), maxFailure))
	}
	return f
}
