package runner_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// running is a node under test and what it posted and logged.
type running struct {
	url  string
	stop func() error // tells the node to stop and returns what Run returned
	log  *buffer
	// replies are the events posted to the reply port.
	replies chan *event.Event
	// copies are the copies of events posted to its path /inspect.
	copies chan posted
	// dead are the events posted to /dead-letter; with noDead they are refused.
	dead   chan buried
	noDead bool
	// refuse is how many posts the reply port answers with refuseWith first.
	mu         sync.Mutex
	refuse     int
	refuseWith int
}

// posted is a copy of an event, and the size of the data of which it was made, if that is
// more.
type posted struct {
	*event.Event
	size int
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a node until the test ends. env adds to, or with "" takes from, an
// environment that has a reply port.
func start(t *testing.T, env map[string]string, init runner.HandlerInit, handler runner.Handler) *running {
	t.Helper()
	return startWith(t, runner.Options{}, env, init, handler)
}

// startWith is start with options.
func startWith(t *testing.T, o runner.Options, env map[string]string, init runner.HandlerInit, handler runner.Handler) *running {
	t.Helper()
	r := &running{replies: make(chan *event.Event, 16), copies: make(chan posted, 64), dead: make(chan buried, 16), log: &buffer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reply", r.takeReply)
	mux.HandleFunc("POST /inspect", r.takeCopy)
	mux.HandleFunc("POST /dead-letter", r.takeDead)
	port := httptest.NewServer(mux)
	t.Cleanup(port.Close)
	all := map[string]string{
		"KRT_VERSION": "v1", "KRT_RUNTIME_ID": "ns", "KRT_NODE_NAME": "model", "KRT_REPLY_URL": port.URL,
	}
	for name, value := range env {
		all[name] = value
	}
	listener := listen(t)
	r.url = "http://" + listener.Addr().String()
	ready, result := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		o.Getenv = func(name string) string { return all[name] }
		o.Listener = listener
		o.Logger = slog.New(slog.NewTextHandler(r.log, nil))
		o.Ready = func() { close(ready) }
		result <- runner.Run(ctx, o, init, handler)
	}()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { _ = r.stop() })
	select {
	case <-ready:
	case err := <-result:
		t.Fatalf("the node did not start: %v", err)
	}
	return r
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (r *running) takeReply(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	refuse := r.refuse > 0
	r.refuse--
	r.mu.Unlock()
	if refuse {
		w.WriteHeader(r.refuseWith)
		return
	}
	e, err := event.ReadHeader(req.Header)
	if err == nil {
		e.Data, err = event.ReadBody(req.Body, req.ContentLength, 1<<20)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.replies <- e
	w.WriteHeader(http.StatusAccepted)
}

func (r *running) takeCopy(_ http.ResponseWriter, req *http.Request) {
	e, size, err := event.ReadCopy(req.Header)
	if err == nil {
		e.Data, err = event.ReadBody(req.Body, req.ContentLength, event.MostInspected)
	}
	if err != nil {
		e = &event.Event{Type: err.Error()}
	}
	r.copies <- posted{e, size}
}

// message is an event as an entrypoint would send it.
func message(text string) *event.Event {
	name, data, err := event.Encode(wrapperspb.String(text))
	if err != nil {
		panic(err)
	}
	return &event.Event{
		ID: "1", Source: event.Source("ns", "v1", "entrypoint"), Type: event.TypeMessage,
		Message: name, Data: data, CorrelationID: "c1", Workflow: "flow", ReplyToken: "token",
		Deadline: time.Now().Add(time.Minute),
		Trace:    event.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "a=b"},
	}
}

// answer is what a node answered to an event.
type answer struct {
	status int
	header http.Header
	event  *event.Event // nil: none
	text   string       // of an answer without event
}

func post(ctx context.Context, url string, e *event.Event) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(e.Data))
	if err != nil {
		return answer{}, err
	}
	e.WriteHeader(req.Header)
	return do(req)
}

func do(req *http.Request) (answer, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, text: string(body)}
	if a.event, err = event.ReadHeader(res.Header); err == nil {
		a.event.Data, a.text = body, ""
	}
	return a, nil
}

func (r *running) post(t *testing.T, e *event.Event) answer {
	t.Helper()
	a, err := post(t.Context(), r.url, e)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// inTime calls do with a time, and with twice the last one until do reports that the time was enough for what
// must have come before it ends: how much that is depends on the machine.
func inTime(t *testing.T, first time.Duration, do func(time.Duration) (enough bool)) {
	t.Helper()
	for patience := first; !do(patience); patience *= 2 {
		if patience >= time.Minute {
			t.Fatalf("%s were not enough", patience)
		}
	}
}

// soon is an event whose client waits for so long only.
func soon(patience time.Duration) *event.Event {
	e := message("hi")
	e.Deadline = time.Now().Add(patience)
	return e
}

func (r *running) reply(t *testing.T) *event.Event {
	t.Helper()
	select {
	case e := <-r.replies:
		return e
	default:
		t.Fatal("nothing was posted to the reply port")
		return nil
	}
}

// stringOf reads the message that start's handlers use.
func stringOf(t *testing.T, e *event.Event) string {
	t.Helper()
	if e == nil {
		t.Fatal("there is no event")
	}
	v := &wrapperspb.StringValue{}
	if err := e.Any().UnmarshalTo(v); err != nil {
		t.Fatal(err)
	}
	return v.GetValue()
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func contains(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want it to contain %q", what, got, want)
	}
}

func value(text string) proto.Message { return wrapperspb.String(text) }
