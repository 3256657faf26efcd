package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// requestTime is how long a sender may take to send a request, and responseTime how
	// long to receive the response. Neither includes the handler's time.
	requestTime  = time.Minute
	responseTime = 30 * time.Second
	// idleTime is above the 90 s after which Knative's dispatcher closes its idle
	// connections, so that the node never closes one that the dispatcher is about to use.
	idleTime       = 5 * time.Minute
	maxHeaderBytes = 64 << 10
)

// server is the node's HTTP server: events are posted to /, probes get /readyz and
// /healthz.
type server struct {
	node  *node
	gate  *gate
	early *gate // of the events that wait for init
	ready atomic.Bool
	begun chan struct{} // closed when the node is ready
	ended chan struct{} // closed when it serves no more
	down  func() error  // why the node cannot accept events at present; nil if it can
}

// offer lets those who connect to l call s without a connection, if they can. The function it
// returns ends that.
func (s *server) offer(l net.Listener) (drain func(context.Context) error) {
	if caller, ok := l.(Caller); ok {
		return caller.Handle(http.HandlerFunc(s.serveCall))
	}
	return func(context.Context) error { return nil }
}

// serveCall is ServeHTTP without a connection. A panic is logged, which else net/http does.
func (s *server) serveCall(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil {
			s.node.own.Error("serving a request panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			panic(p)
		}
	}()
	s.ServeHTTP(w, r)
}

// unready returns why the node accepts no events; nil if it does.
func (s *server) unready() error {
	if !s.ready.Load() {
		return errors.New("init has not returned")
	}
	return s.down()
}

// await waits until the node is ready, as long as c may wait for its turn, and returns why it is
// not. What sends events may do so too early: a local run, whose node has just been started again.
func (s *server) await(c *HandlerContext) error {
	by := TurnBy(c.in.Deadline)
	if s.ready.Load() || by.IsZero() {
		return s.unready()
	}
	size := int64(len(c.in.Data))
	if err := s.early.enter(size); err != nil {
		return err
	}
	defer s.early.leave(size)
	timer := time.NewTimer(time.Until(by))
	defer timer.Stop()
	select {
	case <-s.begun:
	case <-timer.C:
	case <-s.ended:
	case <-c.parent.Done():
	}
	return s.unready()
}

// httpServer returns a server with all its limits set.
func (s *server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime, // lifted once the request has been read
		WriteTimeout:      0,           // would include the handler's time: set when the response is written
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		ErrorLog:          slog.NewLogLogger(s.node.own.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return context.Background() },
	}
}

// ServeHTTP routes without a ServeMux: there are three paths, and the first is hot.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			writeText(w, http.StatusMethodNotAllowed, "events are sent by POST")
			return
		}
		if err := s.down(); err != nil && s.ready.Load() {
			refuse(w, s.notReady(err))
			return
		}
		s.serveEvent(w, r)
	case "/readyz":
		w.Header().Set(event.HeaderSource, s.node.source)
		if err := s.unready(); err != nil {
			writeText(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		writeText(w, http.StatusOK, "ready")
	case "/healthz":
		writeText(w, http.StatusOK, "alive")
	default:
		writeText(w, http.StatusNotFound, "nothing here: events are sent by POST to /")
	}
}

// notReady is the refusal of an event because of err. The node may become ready at any time.
func (s *server) notReady(err error) *Unavailable {
	return &Unavailable{Err: fmt.Errorf("node '%s' is not ready: %w", s.node.name, err), Later: true}
}

// serveEvent processes one event and responds as the event contract requires: 200
// with the next event, or 202 when the chain ends here.
func (s *server) serveEvent(w http.ResponseWriter, r *http.Request) {
	size := min(r.ContentLength, s.node.maxMessageBytes) // no more is read
	if size < 0 {
		size = s.node.maxMessageBytes
	}
	if err := s.gate.enter(size); err != nil {
		s.gate.log(s.node.log, err)
		w.Header().Set("Connection", "close") // or net/http would read the data first
		refuse(w, &Unavailable{Err: err, Later: true})
		return
	}
	defer s.gate.leave(size)
	in, status, err := s.read(w, r)
	if err != nil {
		writeText(w, status, err.Error())
		return
	}
	if in.Type == event.TypeError || in.Type == event.TypeReply {
		writeEvent(w, in) // already a result: passed on
		return
	}
	now := time.Now()
	c := s.node.newContext(r.Context(), in)
	c.arrive(now, event.RequestTrace(r.Header))
	if err := s.await(c); err != nil {
		refuse(w, s.notReady(err))
		return
	}
	if in.Expired(now) {
		c.own.Slog().Warn("event dropped: its deadline passed before it arrived; the handler was not called")
		s.node.buryExpired(c, "its deadline had passed before it arrived")
		writeNothing(w)
		return
	}
	c.step.cold = s.node.first()
	c.conn, _ = w.(readDeadline)
	if c.stream != nil && event.AcceptsStream(r.Header) {
		c.stream.w, _ = w.(streamWriter)
	}
	out, buffer, err := s.node.process(c)
	s.respond(w, c, out, buffer, err)
}

// respond writes what process has returned for c.
func (s *server) respond(w http.ResponseWriter, c *HandlerContext, out *event.Event, buffer *[]byte, err error) {
	switch {
	case c.responded():
		s.node.buffers.put(buffer)
	case err != nil:
		s.serveError(w, c, err)
	case out == nil:
		c.silent.WriteHeader(w.Header())
		writeNothing(w)
	default:
		s.node.copies.add(out)
		writeEvent(w, out)
		s.node.buffers.put(buffer)
	}
}

// read reads the event of the request; status is the one to respond with on an error.
func (s *server) read(w http.ResponseWriter, r *http.Request) (in *event.Event, status int, err error) {
	if in, err = event.ReadHeader(r.Header); err != nil {
		return nil, http.StatusBadRequest, err
	}
	if in.Message == "" {
		return nil, http.StatusBadRequest, errors.New("ce-dataschema: missing")
	}
	if t := r.Header.Get("Content-Type"); t != event.ContentType {
		if t, _, _ = mime.ParseMediaType(t); t != event.ContentType {
			return nil, http.StatusUnsupportedMediaType, errors.New("content-type: only " + event.ContentType + " is accepted")
		}
	}
	in.Data, err = event.ReadBody(r.Body, r.ContentLength, s.node.maxMessageBytes)
	switch {
	case errors.Is(err, event.ErrTooLarge):
		return nil, http.StatusRequestEntityTooLarge, errors.New(err.Error() + event.LimitNamed)
	case err != nil:
		return nil, http.StatusBadRequest, err
	}
	// At the read deadline net/http cancels the handler, so it is lifted for calls that
	// may run for that long. Most end well before, and lifting has a cost.
	if in.Deadline.IsZero() || time.Until(in.Deadline) > requestTime/2 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	return in, 0, nil
}

// serveError sends the client the handler's error, through the reply port if there is
// one. The response is 202, because sending the event again would not help.
func (s *server) serveError(w http.ResponseWriter, c *HandlerContext, err error) {
	s.node.logFailure(c, err)
	var down *Unavailable
	if errors.As(err, &down) {
		refuse(w, down)
		return
	}
	if !s.node.replies.can(c.in) {
		writeText(w, http.StatusInternalServerError, s.node.failText(err))
		return
	}
	if s.node.buries(c) {
		s.node.bury(c, s.node.failure(c, err))
	} else {
		s.node.postLast(c, s.node.fail(c, err))
	}
	writeNothing(w)
}

// logFailure logs an error of the handler, or of the node.
func (n *node) logFailure(c *HandlerContext, err error) {
	var down *Unavailable
	if errors.As(err, &down) {
		if down.Later {
			c.own.Slog().Warn("call refused: it has not had its turn", "error", err)
			return
		}
		c.own.Slog().Error("call lost", "error", err)
		return
	}
	attrs := []any{"error", err}
	if name := typeOf(err); name != "" {
		attrs = append(attrs, "type", name)
	}
	c.own.Slog().Error("handler failed", attrs...)
}

func writeEvent(w http.ResponseWriter, e *event.Event) {
	e.WriteHeader(w.Header())
	write(w, http.StatusOK, e.Data)
}

func writeNothing(w http.ResponseWriter) { write(w, http.StatusAccepted, nil) }

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	write(w, status, []byte(text))
}

// write writes the response. An error means that the connection is broken, which
// changes nothing here.
func write(w http.ResponseWriter, status int, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(responseTime))
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
}
