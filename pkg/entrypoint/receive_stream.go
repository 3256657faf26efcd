package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// restTime is how long a node may go on sending once there is a response.
	restTime = time.Second
	// maxReplyConnections bounds the connections to the reply port: where a Sequence calls
	// the nodes, each stream in flight takes one.
	maxReplyConnections = 4096
	// forwardBytes is what forwarding messages to another replica takes.
	forwardBytes = 64 << 10
)

var errNotStream = errors.New("it is not a stream of messages over HTTP/1")

// receiveStream receives messages that a node sends to the client of a streaming rpc while
// its handler runs. It responds once all of them are accepted, with 202, or as soon as they
// are not: 409 means that another delivery of the event sends them, 410 that nobody waits
// for them, 503 that there is no room now, 400 that they are malformed.
func (e *Entrypoint) receiveStream(w http.ResponseWriter, r *http.Request) {
	body := http.NewResponseController(w)
	_ = body.EnableFullDuplex() // a refusal does not wait for the body
	status := e.streamFor(w, r)
	_ = body.SetReadDeadline(time.Now().Add(restTime))
	// What is not read here is not read before the next request either (net/http).
	if status != http.StatusAccepted || !web.Ended(r.Body) {
		web.LeaveUnread(w, -1)
	}
	_ = body.SetWriteDeadline(time.Now().Add(web.ResponseTime))
	w.WriteHeader(status)
}

// streamFor finds the request that messages belong to, has them passed on, and returns the
// HTTP status to respond with. On HTTP/2 a stream that waits would stop the others of its
// connection, so it is refused.
func (e *Entrypoint) streamFor(w http.ResponseWriter, r *http.Request) int {
	ev, err := event.ReadHeader(r.Header)
	if err == nil && (!event.IsStream(r.Header) || r.ProtoMajor != 1) {
		err = errNotStream
	}
	if err != nil {
		e.drop(metrics.DropNoEvent, err)
		return http.StatusBadRequest
	}
	token, reason, err := e.authorize(ev)
	if reason != "" {
		return e.dropStream(reason, err)
	}
	req := e.pending.Get(token.ID)
	if req == nil && e.elsewhere(r, token) {
		return e.forwardStream(w, r, token)
	}
	switch {
	case req == nil || req.gone.Load():
		return e.dropStream(metrics.DropLate, nil)
	case req.Stream == nil:
		e.drop(metrics.DropNoEvent, fmt.Errorf("rpc %s is not a streaming one", req.route.path[1:]))
		return http.StatusBadRequest
	}
	return req.relay(w, r, ev)
}

// relay passes the messages of a node, whose event is ev, on to the client, and returns the
// HTTP status to respond with.
func (r *request) relay(w http.ResponseWriter, from *http.Request, ev *event.Event) int {
	release := web.Hold(r.work, w, from)
	if release == nil {
		return http.StatusServiceUnavailable
	}
	defer release()
	key := stream.Key(failure.NodeOf(ev.Source), ev.ID)
	end, err := r.entry.sender.Relay(r.work, r.Stream, delivery.Messages{Event: ev, Key: key, Body: from.Body})
	if errors.Is(err, stream.ErrTaken) {
		if !r.Stream.Claimed(key) { // another node sends, and will soon have sent all
			return http.StatusServiceUnavailable
		}
		r.entry.drop(metrics.DropDuplicate, nil)
		return http.StatusConflict
	}
	return r.partEnded(ev, end, err)
}

// dropStream is drop for messages of a stream.
func (e *Entrypoint) dropStream(reason string, err error) int {
	e.drop(reason, err)
	return http.StatusGone
}

// partEnded makes of the end of what a node has sent, or of why there is none, what the
// client gets, and returns the HTTP status to respond with.
func (r *request) partEnded(ev *event.Event, end event.End, err error) int {
	e := r.entry
	var cut *stream.Cut
	switch {
	case err == nil && end.Next:
		return http.StatusAccepted
	case err == nil:
		if !r.reply(r.arrived(r.ending(ev, end), ev)) {
			e.drop(metrics.DropDuplicate, nil)
		}
		return http.StatusAccepted
	case r.Over(r.work), errors.Is(err, stream.ErrOver):
		return e.dropStream(metrics.DropLate, nil)
	case errors.As(err, &cut) && cut.Messages == 0: // the node runs again
		e.drop(metrics.DropUnreadable, err)
		return http.StatusBadRequest
	}
	r.reply(r.arrived(r.nodeFailure(ev, err), ev))
	if cut != nil {
		e.drop(metrics.DropUnreadable, err)
		return http.StatusBadRequest
	}
	return http.StatusGone
}

// ending is what the client gets at the end of a stream; ev is made the event that ends it.
func (r *request) ending(ev *event.Event, end event.End) response {
	ev.Steps = end.Steps
	if end.Failure == nil {
		if last, ok := end.Steps.Last(); ok && last.Outcome == event.OutcomeExit {
			ev.Type = event.TypeReply
		}
		return response{}
	}
	ev.Type = event.TypeError
	data, err := proto.Marshal(end.Failure)
	if err != nil {
		data = nil // its texts are valid UTF-8
	}
	return r.read(&delivery.Parcel{Event: ev, Data: mem.SliceBuffer(data)})
}

// repliedEarly ends the stream with an early reply, in the response to the last step.
func (r *request) repliedEarly(end event.End) {
	ev := &event.Event{Type: event.TypeReply}
	r.reply(r.arrived(r.ending(ev, end), ev))
}

// elsewhere reports whether an event is for another replica, to which nobody has forwarded it yet.
func (e *Entrypoint) elsewhere(r *http.Request, token seal.Token) bool {
	return e.sealer.Foreign(token) && r.Header.Get(delivery.HeaderForwarded) == ""
}

// forwardStream sends messages on to the replica whose address is sealed in their token, as
// they come, and returns the status that it responds with.
func (e *Entrypoint) forwardStream(w http.ResponseWriter, r *http.Request, token seal.Token) int {
	ctx, cancel := context.WithDeadline(e.base, token.Expiry)
	defer cancel()
	if !e.budget.Reserve(forwardBytes) {
		return http.StatusServiceUnavailable
	}
	defer e.budget.Release(forwardBytes)
	release := web.Hold(ctx, w, r)
	if release == nil {
		return http.StatusServiceUnavailable
	}
	defer release()
	to := &url.URL{Scheme: "http", Host: token.Address, Path: r.URL.Path}
	status, err := e.sender.ForwardStream(ctx, to, delivery.Forwarded(r.Header), r.Body)
	switch {
	case errors.Is(err, delivery.ErrNotSent):
		return http.StatusServiceUnavailable
	case err != nil:
		return e.dropStream(metrics.DropForward, fmt.Errorf("cannot forward messages to the replica that holds the request: %w", err))
	}
	if status == http.StatusAccepted {
		e.metrics.Forwarded()
	}
	return status
}
