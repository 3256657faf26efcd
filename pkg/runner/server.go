package runner

import (
	"context"
	"errors"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// requestTime bounds how long a client may take to send a request, and
	// answerTime how long to take its answer. Neither counts the handler's time.
	requestTime = time.Minute
	answerTime  = 30 * time.Second
	// idleTime is above the 90 s after which Knative's dispatcher drops its idle
	// connections, so that it is never surprised by ours closing.
	idleTime       = 5 * time.Minute
	maxHeaderBytes = 64 << 10
)

// server is the node's HTTP side: POST / takes events, /readyz and /healthz tell
// how the node does.
type server struct {
	node  *node
	gate  *gate
	ready atomic.Bool
	down  func() error // why the node can take no events for now; nil if it can
}

// obstacle is why the node takes no events; nil if it does.
func (s *server) obstacle() error {
	if !s.ready.Load() {
		return errors.New("init has not returned")
	}
	return s.down()
}

// httpServer returns a server with all its limits set.
func (s *server) httpServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime, // lifted once the request has been read
		WriteTimeout:      0,           // would count the handler's time: set when the answer is written
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         protocols,
		ErrorLog:          slog.NewLogLogger(s.node.own.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return context.Background() },
	}
}

// ServeHTTP dispatches by hand: there are three paths, and the first is hot.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			answerText(w, http.StatusMethodNotAllowed, "events are sent by POST")
			return
		}
		if err := s.obstacle(); err != nil {
			answerText(w, http.StatusServiceUnavailable, "node '"+s.node.name+"' is not ready: "+err.Error())
			return
		}
		s.serveEvent(w, r)
	case "/readyz":
		if err := s.obstacle(); err != nil {
			answerText(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answerText(w, http.StatusOK, "ready")
	case "/healthz":
		answerText(w, http.StatusOK, "alive")
	default:
		answerText(w, http.StatusNotFound, "nothing here: events are sent by POST to /")
	}
}

// serveEvent takes one event and answers as the contract of events says: 200
// with the next event, 202 when the chain ends here.
func (s *server) serveEvent(w http.ResponseWriter, r *http.Request) {
	size := min(r.ContentLength, s.node.maxMessageBytes) // no more is read
	if size < 0 {
		size = s.node.maxMessageBytes
	}
	if err := s.gate.enter(size); err != nil {
		s.gate.tell(s.node.log, err)
		w.Header().Set("Retry-After", "1")
		w.Header().Set("Connection", "close") // or net/http would read the data first
		s.answerUnavailable(w, &Unavailable{err})
		return
	}
	defer s.gate.leave(size)
	in, status, err := s.read(w, r)
	if err != nil {
		answerText(w, status, err.Error())
		return
	}
	switch {
	case in.Type == event.TypeError || in.Type == event.TypeReply:
		answerEvent(w, in) // nothing a handler could do with it: passed on
		return
	case in.Expired(time.Now()):
		s.node.newContext(r.Context(), in).own.Slog().Warn("event dropped: its deadline passed before it came; nothing was run for it")
		answerNothing(w)
		return
	}
	trace := in.Trace.Via(event.RequestTrace(r.Header))
	c := s.node.newContext(event.ContextWithTrace(r.Context(), trace), in)
	c.conn, _ = w.(readDeadline)
	out, buffer, err := s.node.process(c)
	switch {
	case err != nil:
		s.answerError(w, c, err)
	case out == nil:
		answerNothing(w)
	default:
		answerEvent(w, out)
		s.node.buffers.put(buffer)
	}
}

// read reads the request's event; on error the status says whose fault it is.
func (s *server) read(w http.ResponseWriter, r *http.Request) (in *event.Event, status int, err error) {
	if in, err = event.ReadHeader(r.Header); err != nil {
		return nil, http.StatusBadRequest, err
	}
	if in.Message == "" {
		return nil, http.StatusBadRequest, errors.New("ce-dataschema: missing")
	}
	if t := r.Header.Get("Content-Type"); t != event.ContentType {
		if t, _, _ = mime.ParseMediaType(t); t != event.ContentType {
			return nil, http.StatusUnsupportedMediaType, errors.New("content-type: only " + event.ContentType + " is taken here")
		}
	}
	in.Data, err = event.ReadBody(r.Body, r.ContentLength, s.node.maxMessageBytes)
	switch {
	case errors.Is(err, event.ErrTooLarge):
		return nil, http.StatusRequestEntityTooLarge, errors.New(err.Error() + " (KRT_MAX_MESSAGE_BYTES)")
	case err != nil:
		return nil, http.StatusBadRequest, err
	}
	// At the read deadline net/http cancels the handler, so it is lifted for calls
	// that may last as long. Most end well before, and lifting has its cost.
	if in.Deadline.IsZero() || time.Until(in.Deadline) > requestTime/2 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	return in, 0, nil
}

// answerError tells the caller that the handler failed, by the reply port if
// there is one. Sending the event again would not mend it: hence 202.
func (s *server) answerError(w http.ResponseWriter, c *HandlerContext, err error) {
	log := &c.own
	var down *Unavailable
	if errors.As(err, &down) {
		log.Slog().Error("call lost", "error", err)
		s.answerUnavailable(w, down)
		return
	}
	attrs := []any{"error", err}
	if name := typeOf(err); name != "" {
		attrs = append(attrs, "type", name)
	}
	log.Slog().Error("handler failed", attrs...)
	if !s.node.replies.can(c.in) {
		answerText(w, http.StatusInternalServerError, s.node.failText(err))
		return
	}
	s.node.postLast(c, s.node.fail(c, err))
	answerNothing(w)
}

func answerEvent(w http.ResponseWriter, e *event.Event) {
	e.WriteHeader(w.Header())
	answer(w, http.StatusOK, e.Data)
}

func answerNothing(w http.ResponseWriter) { answer(w, http.StatusAccepted, nil) }

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	answer(w, status, []byte(text))
}

// answer writes the answer. An error means that the client is gone, which
// concerns nobody here.
func answer(w http.ResponseWriter, status int, body []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body)
	}
}
