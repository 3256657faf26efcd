package entrypoint

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/runner/event"
)

// home is an entrypoint as a [delivery.Queue] needs it.
type home struct{ *Entrypoint }

// receiveQueued receives a reply of a node that got its event from a queue. It is for whoever carries
// the event, also if the request began here. It reports false if nobody does, so that it may be for
// the request.
func (e *Entrypoint) receiveQueued(r *http.Request, ev *event.Event, token seal.Token) (status int, received bool) {
	if e.options.Queue == nil {
		return 0, false
	}
	c := e.options.Queue.Carried(token.ID, failure.NodeOf(ev.Source))
	if c != nil && r.URL.Path == "/reply" {
		return e.receiveCarried(r, ev, c), true
	}
	if e.elsewhere(r, token) {
		return e.forward(r, ev, token), true
	}
	if req := e.pending.Get(token.ID); req != nil && c == nil && ev.Stream.Unary() && ev.ReplyToken != req.First.Event.ReplyToken {
		// The token is one that a node got, from a replica that has given the event back, so that it is done again: the
		// client gets what comes of that. An early reply now would be one that the queue does not know of.
		return e.drop(metrics.DropLate, nil), true
	}
	return 0, false
}

// receiveCarried receives what the node sends that is at work with a carried event.
func (e *Entrypoint) receiveCarried(r *http.Request, ev *event.Event, to delivery.Carried) int {
	data, err := e.buffers.Read(r.Body, r.ContentLength, int64(e.options.MaxMessageBytes))
	p := &delivery.Parcel{Event: ev, Data: data}
	switch {
	case failure.Final(err):
		p = delivery.Bytes(ev.Fail(ev.Source, *delivery.NodeFailure(failure.NodeOf(ev.Source), err)))
	case err != nil:
		return e.drop(metrics.DropUnreadable, err)
	}
	if !to.Reply(r.Context(), p) {
		return e.drop(metrics.DropDuplicate, nil)
	}
	return http.StatusAccepted
}

// Buffers implements [delivery.Home].
func (h home) Buffers() *memory.Pool { return h.buffers }

// Sealer implements [delivery.Home].
func (h home) Sealer() *seal.Sealer { return h.sealer }

// At implements [delivery.Home].
func (h home) At(id seal.ID, token string, step int) (client context.Context, gone bool) {
	if r := h.pending.Get(id); r != nil {
		r.Passing(step)
		return r.work, r.gone.Load()
	}
	held, err := h.sealer.Open(token, time.Now())
	return nil, err == nil && held.Address == h.sealer.Address()
}

// Respond implements [delivery.Home].
func (h home) Respond(ctx context.Context, p *delivery.Parcel) error {
	token, reason, err := h.authorize(p.Event)
	if reason != "" {
		h.drop(reason, err)
		return nil
	}
	req := h.pending.Get(token.ID)
	switch {
	case req == nil && h.sealer.Foreign(token):
		header := make(http.Header, 16)
		p.Event.WriteHeader(header)
		to := &url.URL{Scheme: "http", Host: token.Address, Path: "/reply"}
		switch err := h.sender.Forward(ctx, to, delivery.Forwarded(header), p.Data); {
		case err == nil:
			h.metrics.Forwarded()
		case delivery.Misdirected(err): // the replica has ended, and its client's connection with it
			h.drop(metrics.DropForward, fmt.Errorf("the replica that held the request has ended: %w", err))
		default:
			return fmt.Errorf("cannot forward it: %w", err)
		}
		return nil
	case req == nil || req.gone.Load():
		h.drop(metrics.DropLate, nil)
		return nil
	}
	p.Data.Ref() // of the client; the caller has its own
	if !req.reply(req.arrived(req.read(p), p.Event)) {
		h.drop(metrics.DropDuplicate, nil)
	}
	return nil
}

// of returns a request of a workflow that nobody waits for; nil: there is no such workflow.
func (h home) of(workflow string) *request {
	t := h.table.Load()
	route := t.byName[workflow]
	if route == nil {
		return nil
	}
	r := &request{ticket: ticket{entry: h.Entrypoint, table: t, route: route, begin: time.Now()}}
	r.First.Event = &event.Event{}
	return r
}

// Read implements [delivery.Home].
func (h home) Read(workflow string, p *delivery.Parcel) (mem.Buffer, *spb.Status) {
	r := h.of(workflow)
	if r == nil {
		return p.Data, nil
	}
	r.First.Event = p.Event
	out := r.read(p)
	return out.data, out.failure
}

// Output implements [delivery.Home].
func (h home) Output(workflow string) string {
	if r := h.table.Load().byName[workflow]; r != nil {
		return r.want
	}
	return ""
}

// Ended implements [delivery.Home].
func (h home) Ended(workflow string, failed *spb.Status, fill func(*record.Record)) {
	r := h.of(workflow)
	if r == nil {
		return
	}
	h.observe(func(to *record.Record) {
		r.ticket.describe(to)
		fill(to)
		failure.Describe(to, failed)
	})
}

// Attempted implements [delivery.Home].
func (h home) Attempted(workflow, node string, result record.Result) {
	h.metrics.Attempted(workflow, node, result)
}

// DeadLetter implements [delivery.Home].
func (h home) DeadLetter(workflow, node string) { h.metrics.DeadLetter(workflow, node) }
