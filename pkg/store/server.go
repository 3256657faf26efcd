// Package store keeps what nodes save: measurements, predictions and documents. It serves
// the wire of pkg/runner/store over HTTP, in front of one or more backends: the packages
// below this one. The local run has it in process, on a Unix socket.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/data"
	wire "krt.dev/kn-krt/pkg/runner/store"
)

// Options limit a server. Zero fields mean the defaults.
type Options struct {
	// MaxBodyBytes bounds a request's body. Default: 16 MiB, the most that a document
	// of the original's database (MongoDB) could have.
	MaxBodyBytes int64
	// MaxResults and MaxResultBytes bound a response, which may be one page of a result. Without
	// pages, a query that finds more is an error that says so. Default: 10,000 and 16 MiB.
	MaxResults     int
	MaxResultBytes int
	// PageTime bounds how long a page is searched for: what was found by then is sent. It
	// is less than nodes wait. Default: 500 ms.
	PageTime time.Duration
	// QueryTime bounds how long a request, a query above all, may take. Default: 10 s.
	QueryTime time.Duration
	// DeleteTime bounds how long one request deletes, or counts what would be deleted: who owns
	// the data sends further ones for the rest. Default: 20 s.
	DeleteTime time.Duration
	// MaxLetters and MaxLetterBytes limit the letters of one kind of one version, beyond which the
	// oldest results go, and dead letters are refused. Default: 100,000 and 1 GiB.
	MaxLetters, MaxLetterBytes int64
	// Identify returns who sends a request. Default: the local runtime, and what the headers
	// say; a server that others can reach must not believe them.
	Identify func(*http.Request) (Origin, error)
	// Predicted is called with each prediction that was kept. Default: nothing is.
	Predicted func(context.Context, Prediction)
	// Hold is called before a body is decoded to so many bytes, which then count for its
	// request; its error is the response. Default: nothing is.
	Hold func(ctx context.Context, bytes int64) error
	// Logger logs internal errors. Default: slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	o.MaxBodyBytes = cmp.Or(o.MaxBodyBytes, 16<<20)
	o.MaxResults = cmp.Or(o.MaxResults, 10_000)
	o.MaxResultBytes = cmp.Or(o.MaxResultBytes, 16<<20)
	o.PageTime = cmp.Or(o.PageTime, 500*time.Millisecond)
	o.QueryTime = cmp.Or(o.QueryTime, 10*time.Second)
	o.DeleteTime = cmp.Or(o.DeleteTime, 20*time.Second)
	o.MaxLetters, o.MaxLetterBytes = cmp.Or(o.MaxLetters, 100_000), cmp.Or(o.MaxLetterBytes, 1<<30)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	if o.Identify == nil {
		o.Identify = func(r *http.Request) (Origin, error) {
			from := HeaderOrigin(r)
			return Origin{Runtime: LocalRuntime, Origin: from, Owner: from.Node == ""}, nil // only the user reaches it
		}
	}
	return o
}

// LocalRuntime is the runtime of local runs, and of files made before runtimes were kept.
const LocalRuntime = "local"

// HeaderOrigin is who a request's headers say that sends it.
func HeaderOrigin(r *http.Request) wire.Origin {
	return wire.Origin{
		Version:  r.Header.Get(wire.HeaderVersion),
		Node:     r.Header.Get(wire.HeaderNode),
		Workflow: r.Header.Get(wire.HeaderWorkflow),
		Mirror:   r.Header.Get(wire.HeaderMirror) == "1",
	}
}

// Server serves backends. It is safe for concurrent use.
type Server struct {
	options  Options
	backends Backends
	boxes    *boxes
}

// New returns a server of backends, which it does not close.
func New(backends Backends, o Options) *Server {
	o = o.withDefaults()
	return &Server{o, backends, newBoxes(o.MaxLetters, o.MaxLetterBytes)}
}

// Serve serves the store's API, with that of owners, on l until ctx is done, then lets
// requests in flight finish for at most a second. It closes l, which only who may delete
// everything can reach.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	mux.Handle(data.Path, s.Owned())
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		return server.Close()
	}
	return nil
}

// request is a request and who sends it.
type request struct {
	*http.Request
	from   Origin
	values url.Values // the parameters
	hold   func(ctx context.Context, bytes int64) error
}

// Handler returns the store's API: see pkg/runner/store. Every response is JSON;
// one of status 400 and above is {"error": "…"}.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, one := range append(s.routes(), s.letterRoutes()...) {
		mux.HandleFunc(one.pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, one) })
	}
	return mux
}

// saved is a response with status 201.
type saved wire.Saved

func (s *Server) serve(w http.ResponseWriter, r *http.Request, to route) {
	ctx, cancel := context.WithTimeout(r.Context(), s.options.QueryTime)
	defer cancel()
	s.respond(w, r.WithContext(ctx), to)
}

func (s *Server) respond(w http.ResponseWriter, r *http.Request, to route) {
	r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxBodyBytes)
	var response any
	from, err := s.options.Identify(r)
	var values url.Values
	if err == nil {
		values, err = to.parameters(r)
	}
	if err == nil {
		response, err = to.serve(request{r, from, values, s.options.Hold})
	}
	status := http.StatusOK
	if _, ok := response.(saved); ok {
		status = http.StatusCreated
	}
	if err != nil {
		status, response = s.failure(r, err)
	}
	body, err := encoded(response)
	if err != nil {
		s.options.Logger.Error("a response cannot be encoded", "path", r.URL.Path, "error", err)
		status, body = http.StatusInternalServerError, []byte(`{"error":"the response cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // else net/http sends a long one in chunks
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// failure is the response for err; what the client cannot correct is logged.
func (s *Server) failure(r *http.Request, err error) (status int, response wire.Failure) {
	var p *Problem
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p.Status, wire.Failure{Error: p.Text}
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, wire.Failure{Error: fmt.Sprintf("the request has more than %d bytes", large.Limit)}
	case errors.Is(err, ErrExists), errors.Is(err, ErrClaimed):
		return http.StatusConflict, wire.Failure{Error: err.Error()}
	case errors.Is(err, ErrNoLetter):
		return http.StatusNotFound, wire.Failure{Error: err.Error()}
	case errors.Is(r.Context().Err(), context.DeadlineExceeded): // a database reports "interrupted", or the like
		return http.StatusServiceUnavailable, wire.Failure{Error: s.tooLong(r)}
	}
	if r.Context().Err() == nil {
		s.options.Logger.Error("store request failed", "path", r.URL.Path, "error", err)
	}
	return http.StatusInternalServerError, wire.Failure{Error: "the store failed: " + err.Error()}
}

// tooLong is the response to a request that has taken longer than the limit.
func (s *Server) tooLong(r *http.Request) string {
	text := fmt.Sprintf("the request took longer than %s", s.options.QueryTime)
	if strings.HasSuffix(r.Pattern, "/find") {
		text += ": narrow the query"
	}
	return text
}

// decode reads the request's body, one JSON value, into v. Numbers in values of
// no fixed type are kept as written.
func (r request) decode(v any) error { return r.body(v, false) }

// body does the same. Strict, it refuses keys that v does not have: what selects less than was
// meant would find, or delete, more.
func (r request) body(v any, strict bool) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	// encoding/json would replace text that is not UTF-8, and find what was not saved.
	if !utf8.Valid(text) {
		return Refuse("the body is not UTF-8")
	}
	if err := r.holds(text); err != nil {
		return err
	}
	if err := wire.CheckText(text); err != nil {
		return Refuse("%v", err)
	}
	if err := decode(text, v, strict); err != nil {
		return Refuse("the body is malformed: %v", err)
	}
	return nil
}
