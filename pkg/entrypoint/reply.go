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
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

// Why a reply was dropped.
const (
	dropNoEvent    = "no_event"
	dropNoToken    = "no_token"
	dropForged     = "bad_token"
	dropLate       = "late"
	dropDuplicate  = "duplicate"
	dropForward    = "forward_failed"
	dropUnreadable = "unreadable"
)

func dropReasons() []string {
	return []string{dropNoEvent, dropNoToken, dropForged, dropLate, dropDuplicate, dropForward, dropUnreadable}
}

// headerForwarded marks a reply that another replica has forwarded. It is
// forwarded once at most.
const headerForwarded = "Krt-Forwarded"

// newReplyServer serves the reply port: replies, dead letters, metrics and probes.
func (e *Entrypoint) newReplyServer(at net.Addr) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reply", e.receiveReply)
	mux.HandleFunc("POST /stream", e.receiveStream)
	mux.HandleFunc("POST /dead-letter", e.receiveDeadLetter)
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

// receiveReply receives the event that ends a request: the last step's, an early
// reply, an exit or an error. It responds with 202 to all that sending again does
// not change: on anything else a dispatcher would run the whole chain again.
func (e *Entrypoint) receiveReply(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(e.receiveFor(r, func(req *request, ev *event.Event) (response, error) {
		if req.gone.Load() && ev.Type != event.TypeError {
			return response{}, nil // nobody wants its data
		}
		data, err := e.buffers.Read(r.Body, r.ContentLength, int64(e.options.MaxMessageBytes))
		if final(err) {
			return req.nodeFailure(ev, err), nil
		}
		if err != nil {
			return response{}, err
		}
		return req.read(&delivery.Parcel{Event: ev, Data: data}), nil
	}))
}

// receiveDeadLetter receives an event that delivery gave up on. Its own data is the
// message that could not be delivered and is not read.
func (e *Entrypoint) receiveDeadLetter(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(e.receiveFor(r, func(req *request, _ *event.Event) (response, error) {
		dead := req.owner().DeadLetter(r.Header, req.route.Steps)
		e.metrics.DeadLetter(req.route.Name, dead.Node)
		return response{failure: dead.Status()}, nil
	}))
}

// receiveFor finds the request that an event belongs to, and offers it what read makes
// of the event. It returns the HTTP status to respond with.
func (e *Entrypoint) receiveFor(r *http.Request, read func(*request, *event.Event) (response, error)) int {
	ev, err := event.ReadHeader(r.Header)
	if err != nil {
		return e.drop(dropNoEvent, err)
	}
	token, reason, err := e.authorize(ev)
	if reason != "" {
		return e.drop(reason, err)
	}
	if e.options.Queue != nil {
		if status, received := e.receiveQueued(r, ev, token); received {
			return status
		}
	}
	req := e.pending.Get(token.ID)
	if req == nil {
		if e.elsewhere(r, token) {
			return e.forward(r, ev, token)
		}
		return e.drop(dropLate, nil)
	}
	late := req.gone.Load()
	if late && !req.continues() {
		return e.drop(dropLate, nil)
	}
	out, err := read(req, ev)
	if err != nil { // the connection broke; the sender will send it again
		return e.drop(dropUnreadable, err)
	}
	if late {
		req.rest.add(out, req.reported(ev))
		return e.drop(dropLate, nil)
	}
	if !req.reply(req.arrived(out, ev)) {
		return e.drop(dropDuplicate, nil)
	}
	return http.StatusAccepted
}

// authorize opens the reply token of an event. If the event may not end the request that
// it names, it returns the reason for which it is dropped, and an error if it should not
// have come at all.
func (e *Entrypoint) authorize(ev *event.Event) (token seal.Token, reason string, err error) {
	if ev.ReplyToken == "" {
		return token, dropNoToken, errors.New("the event has no krtreply attribute")
	}
	token, err = e.sealer.Open(ev.ReplyToken, time.Now())
	switch {
	case errors.Is(err, seal.ErrExpired):
		return token, dropLate, nil
	case err != nil:
		return token, dropForged, err
	case ev.CorrelationID != token.ID.String():
		return token, dropForged, errors.New("the reply token belongs to another request")
	}
	return token, "", nil
}

// drop counts a reply that is not used and, where it should not have come at all,
// logs it once a second at most.
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
	ctx, cancel := context.WithDeadline(r.Context(), token.Expiry)
	defer cancel()
	header := forwarded(r.Header)
	event.RequestTrace(r.Header).WriteHeader(header)
	data, err := e.buffers.Read(r.Body, r.ContentLength, int64(e.options.MaxMessageBytes))
	if final(err) {
		failed := ev.Fail(ev.Source, *delivery.NodeFailure(failure.NodeOf(ev.Source), err))
		failed.WriteHeader(header)
		data, err = mem.SliceBuffer(failed.Data), nil
	}
	if err != nil {
		return e.drop(dropUnreadable, err)
	}
	defer data.Free()
	to := &url.URL{Scheme: "http", Host: token.Address, Path: r.URL.Path}
	if err := e.sender.Forward(ctx, to, header, data); err != nil {
		return e.drop(dropForward, fmt.Errorf("cannot forward it to the replica that holds the request: %w", err))
	}
	e.metrics.Forwarded()
	return http.StatusAccepted
}

// final reports whether err means that a reply cannot be accepted, however often it
// is sent.
func final(err error) bool {
	return errors.Is(err, event.ErrTooLarge) || errors.Is(err, memory.ErrFull)
}
