// Package runnertest tests a node's handler as it will run: over HTTP, with the real
// runner, a reply port and a store in memory.
//
//	r := runnertest.New(t, handlerInit, handler)
//	out := r.Call(&pb.Request{Name: "Ann"})
//	out.Message(&response)
//
// It needs the loopback network, but no files and no version.
package runnertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/runner/event"
)

// DefaultWorkflow is the workflow of calls unless [Workflow] sets another.
const DefaultWorkflow = "workflow"

// node is the name of the node under test.
const node = "node"

// TraceParent is the W3C traceparent with which every call arrives. What
// ctx.TraceParent returns is of the same trace, with the span of the handler's run.
const TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Option changes the environment of a node under test.
type Option func(*settings)

type settings struct {
	env      map[string]string
	workflow string
	timeout  time.Duration
	mirrored bool
	stream   event.Stream
}

// Env sets an environment variable for the runner. For code that calls os.Getenv itself
// use t.Setenv.
func Env(name, value string) Option {
	return func(s *settings) { s.env[name] = value }
}

// BasePath sets the folder from which ctx.Path starts: the root of the bundle.
// Default: the working directory.
func BasePath(dir string) Option { return Env(environment.BasePath, dir) }

// WithoutStore runs the node without a store.
func WithoutStore() Option { return Env(environment.Store, "") }

// Workflow sets the name of the workflow that calls belong to.
func Workflow(name string) Option {
	return func(s *settings) { s.workflow = name }
}

// Timeout sets the time from the start of a call to its deadline. Default: 30 s.
func Timeout(d time.Duration) Option {
	return func(s *settings) { s.timeout = d }
}

// Mirrored has calls arrive as copies of requests that another version has served: see
// [runner.HandlerContext.Mirrored].
func Mirrored() Option {
	return func(s *settings) { s.mirrored = true }
}

// Runner is a node under test. Its methods may be called concurrently.
type Runner struct {
	t        testing.TB
	url      string
	settings settings
	calls    atomic.Int64
	client   *http.Client
	log      lines
	store    memory

	mu      sync.Mutex
	replies map[string][]*event.Event // by correlation id, in order
	parts   map[string][]*part        // of streams that were posted, likewise
}

// New starts a node with the given init, which may be nil, and handler. It runs
// until the test ends. An init that panics fails the test.
func New(t testing.TB, handlerInit runner.HandlerInit, handler runner.Handler, options ...Option) *Runner {
	t.Helper()
	r := &Runner{
		t: t, client: &http.Client{Transport: &http.Transport{}},
		replies: map[string][]*event.Event{}, parts: map[string][]*part{}, log: lines{t: t},
	}
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(server.Close)
	r.settings = settings{workflow: DefaultWorkflow, timeout: 30 * time.Second, env: map[string]string{}}
	environment.Values{Version: "test", Runtime: "local", Node: node, ReplyURL: server.URL, Store: server.URL}.Each(
		func(name, value string) { r.settings.env[name] = value })
	for _, option := range options {
		option(&r.settings)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("cannot listen: %v", err)
	}
	r.url = "http://" + listener.Addr().String()
	r.start(listener, handlerInit, handler)
	return r
}

func (r *Runner) start(listener net.Listener, handlerInit runner.HandlerInit, handler runner.Handler) {
	r.t.Helper()
	ready, result := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		result <- runner.Run(ctx, runner.Options{
			Getenv:   func(name string) string { return r.settings.env[name] },
			Listener: listener,
			Logger:   slog.New(slog.NewTextHandler(&r.log, nil)),
			Ready:    func() { close(ready) },
			// The test is over: a call that is still running is cancelled.
			ShutdownTimeout: time.Second,
		}, handlerInit, handler)
	}()
	select {
	case <-ready:
	case err := <-result:
		cancel()
		r.log.close()
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		r.client.CloseIdleConnections()
		cancel()
		if err := <-result; err != nil {
			r.t.Error(err)
		}
		r.log.close()
	})
}

// Call runs the handler for msg and returns the result. It fails the test
// only when the node breaks the contract of events.
func (r *Runner) Call(msg proto.Message) *Result {
	r.t.Helper()
	return r.CallContext(context.Background(), msg)
}

// CallContext is Call, cancelled when ctx ends, as a call is when the client cancels
// it. The result of a cancelled call is empty.
func (r *Runner) CallContext(ctx context.Context, msg proto.Message) *Result {
	r.t.Helper()
	name, data, err := event.Encode(msg)
	if err != nil {
		r.t.Fatalf("cannot encode the %s: %v", name, err)
	}
	id := fmt.Sprintf("call-%d", r.calls.Add(1))
	in := &event.Event{
		ID: id, CorrelationID: id, Source: event.Source("local", "test", "entrypoint"), Type: event.TypeMessage,
		Message: name, Data: data, Workflow: r.settings.workflow, ReplyToken: "token",
		Deadline: time.Now().Add(r.settings.timeout), Trace: event.Trace{Parent: TraceParent},
		Mirror: r.settings.mirrored, Stream: r.settings.stream,
	}
	out := &Result{t: r.t}
	if err := r.post(ctx, in, out); err != nil && ctx.Err() == nil {
		r.t.Fatalf("the node did not respond as expected: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.parts[id] {
		out.takePart(p)
	}
	for _, e := range r.replies[id] {
		out.take(e)
	}
	return out
}

// post sends in and reads the response into out.
func (r *Runner) post(ctx context.Context, in *event.Event, out *Result) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(in.Data))
	if err != nil {
		return err
	}
	in.WriteHeader(req.Header)
	in.Trace.WriteHeader(req.Header)
	if in.Stream.Last == node { // as with direct delivery
		event.AcceptStream(req.Header)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if event.IsStream(res.Header) {
		p, err := readPart(res.Header, res.Body)
		if err == nil {
			out.takePart(p)
		}
		return err
	}
	body, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusAccepted:
		out.ended = true
		return nil
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	if out.message, err = event.ReadHeader(res.Header); err != nil {
		return err
	}
	out.message.Data = body
	if in.Stream.Last == node { // a stream of one message
		out.sent = append(out.sent, out.message)
	}
	return nil
}

// serve is the reply port and the store.
func (r *Runner) serve(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/reply":
		r.takeReply(w, req)
	case "/stream":
		r.takeStream(w, req)
	default:
		r.store.ServeHTTP(w, req)
	}
}

func (r *Runner) takeReply(w http.ResponseWriter, req *http.Request) {
	e, err := event.ReadHeader(req.Header)
	if err == nil {
		e.Data, err = event.ReadBody(req.Body, req.ContentLength, mostBytes)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.replies[e.CorrelationID] = append(r.replies[e.CorrelationID], e)
	r.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// Log returns what the node has logged so far; the test's own log has it too.
func (r *Runner) Log() string { return r.log.String() }

// lines passes log lines to the test, which accepts none after its end.
type lines struct {
	t      testing.TB
	mu     sync.Mutex
	all    strings.Builder
	closed bool
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	if !l.closed {
		l.t.Log(strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (l *lines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}
