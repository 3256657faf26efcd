package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

// pathDeadLetter is the path of the reply port for dead letters.
const pathDeadLetter = "/dead-letter"

// forwardTime is how long it may take to forward what is kept to the replica that holds the request.
const forwardTime = 5 * time.Second

// newReplyServer serves the reply port: replies, dead letters, metrics and probes.
func (e *Entrypoint) newReplyServer(at net.Addr) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reply", e.receiveReply)
	mux.HandleFunc("POST /stream", e.receiveStream)
	mux.HandleFunc("POST "+pathDeadLetter, e.receiveDeadLetter)
	mux.HandleFunc("POST /inspect", e.receiveCopy)
	mux.Handle("GET /metrics", e.metrics.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !e.ready.Load() {
			http.Error(w, "stopping or not started", http.StatusServiceUnavailable)
		}
	})
	// Dispatchers and nodes keep connections to this port as long as they like.
	return e.newServer(web.GuardHost(mux, at), 0)
}

// receiveReply receives the event that ends a request: the last step's, an early reply, an exit or an error. It
// responds with 202 to all that sending again does not change: on anything else a dispatcher would run the
// whole chain again.
func (e *Entrypoint) receiveReply(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(e.receiveFor(r, func(req *request, ev *event.Event) (response, error) {
		if req.gone.Load() && ev.Type != event.TypeError {
			return response{}, nil // nobody wants its data
		}
		data, err := e.buffers.Read(r.Body, r.ContentLength, int64(e.options.MaxMessageBytes))
		if failure.Final(err) {
			return req.nodeFailure(ev, err), nil
		}
		if err != nil {
			return response{}, err
		}
		return req.read(&delivery.Parcel{Event: ev, Data: data}), nil
	}))
}

// receiveDeadLetter receives an event that delivery, or a node, gave up on. Its own data is the message that
// could not be delivered, and is read only if it is kept: no client waits.
func (e *Entrypoint) receiveDeadLetter(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(e.receiveFor(r, func(req *request, ev *event.Event) (response, error) {
		failed, node := req.owner().Dead(r.Header, req.route.Steps)
		if req.Bury && req.Detached() {
			ev, data, err := e.readDead(r, ev)
			if err != nil {
				return response{}, err
			}
			req.keepDead(ev, req.Step(), node, failed, data)
		}
		e.metrics.DeadLetter(req.route.Name, node)
		return response{failure: failed}, nil
	}))
}

// receiveFor finds the request that an event belongs to, and offers it what read makes of the event. It returns
// the HTTP status to respond with.
func (e *Entrypoint) receiveFor(r *http.Request, read func(*request, *event.Event) (response, error)) int {
	ev, err := event.ReadHeader(r.Header)
	if err != nil {
		return e.drop(metrics.DropNoEvent, err)
	}
	token, reason, err := e.authorize(ev)
	// The token of work that no client waits for has expired with the client's deadline, and may still end it.
	if expired := reason == metrics.DropLate && ev.Replied && ev.CorrelationID == token.ID.String(); reason != "" && !expired {
		return delivery.Dropped(r.Header, reason == metrics.DropForged, e.drop(reason, err))
	}
	if status, received := e.receiveQueued(r, ev, token); received {
		return status
	}
	switch req := e.pending.Get(token.ID); {
	case req != nil:
		return e.receiveOf(req, ev, read)
	case e.elsewhere(r, token):
		return e.forward(r, ev, token)
	}
	return e.receiveOrphan(r, ev)
}

// receiveOf is receiveFor for the request that has been found.
func (e *Entrypoint) receiveOf(req *request, ev *event.Event, read func(*request, *event.Event) (response, error)) int {
	late := req.gone.Load()
	if late && !req.continues() {
		return e.drop(metrics.DropLate, nil)
	}
	if !late { // whoever sends this has had the event, also if its delivery does not know that yet
		req.Accept()
	}
	out, err := read(req, ev)
	if err != nil { // the connection broke; the sender will send it again
		return e.drop(metrics.DropUnreadable, err)
	}
	if late {
		if out.failure != nil {
			req.bury(out.failure, nil)
			req.replayed.Stay()
		}
		req.rest.add(out, req.reported(ev))
		return e.drop(metrics.DropLate, nil)
	}
	if !req.reply(req.arrived(out, ev)) {
		return e.drop(metrics.DropDuplicate, nil)
	}
	return http.StatusAccepted
}

// authorize opens the reply token of an event. If the event may not end the request that it names, it returns
// the reason for which it is dropped, and an error if it should not have come at all.
func (e *Entrypoint) authorize(ev *event.Event) (token seal.Token, reason string, err error) {
	if ev.ReplyToken == "" {
		return token, metrics.DropNoToken, errors.New("the event has no krtreply attribute")
	}
	token, err = e.sealer.Open(ev.ReplyToken, time.Now())
	switch {
	case errors.Is(err, seal.ErrExpired):
		return token, metrics.DropLate, nil
	case err != nil:
		return token, metrics.DropForged, err
	case ev.CorrelationID != token.ID.String():
		return token, metrics.DropForged, errors.New("the reply token belongs to another request")
	}
	return token, "", nil
}

// drop counts a reply that is not used and, where it should not have come at all, logs it once a second at
// most.
func (e *Entrypoint) drop(reason string, err error) int {
	e.metrics.Dropped(reason)
	if err != nil && e.mayLog(time.Now()) {
		e.log.Warn("dropped a reply", "reason", reason, "error", err)
	}
	return http.StatusAccepted
}

// mayLog reports whether a drop may be logged: once a second at most.
func (e *Entrypoint) mayLog(now time.Time) bool {
	second := now.Unix()
	last := e.logged.Load()
	return last != second && e.logged.CompareAndSwap(last, second)
}

// forward sends a reply to the replica whose address is sealed in its token.
func (e *Entrypoint) forward(r *http.Request, ev *event.Event, token seal.Token) int {
	until := token.Expiry
	if ev.Replied { // also if it has expired
		until = time.Now().Add(forwardTime)
	}
	ctx, cancel := context.WithDeadline(r.Context(), until)
	defer cancel()
	header := delivery.Forwarded(r.Header)
	event.RequestTrace(r.Header).WriteHeader(header)
	data, err := e.buffers.Read(r.Body, r.ContentLength, int64(e.options.MaxMessageBytes))
	if failure.Final(err) {
		failed := ev.Fail(ev.Source, *delivery.NodeFailure(failure.NodeOf(ev.Source), err))
		ev = failed
		failed.WriteHeader(header)
		data, err = mem.SliceBuffer(failed.Data), nil
	}
	if err != nil {
		return e.drop(metrics.DropUnreadable, err)
	}
	defer data.Free()
	to := &url.URL{Scheme: "http", Host: token.Address, Path: r.URL.Path}
	if err := e.sender.Forward(ctx, to, header, data); err != nil {
		data.Ref()
		if status := e.orphan(r.Header, r.URL.Path, ev, data); status != 0 {
			return status
		}
		return e.drop(metrics.DropForward, fmt.Errorf("cannot forward it to the replica that holds the request: %w", err))
	}
	e.metrics.Forwarded()
	return http.StatusAccepted
}
