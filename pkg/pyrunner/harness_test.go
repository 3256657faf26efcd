package pyrunner_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// findPython looks once for all tests: each look starts interpreters.
var findPython = sync.OnceValues(func() (string, error) { return pyrunner.FindPython(os.Getenv) })

// prelude is what most tests' nodes begin with. tell tells the test something,
// and keeps the connection open for as long as the process lives.
const prelude = `
import asyncio, os, signal, socket, sys, time
from google.protobuf.wrappers_pb2 import StringValue
told = []
def tell(text):
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.environ["TEST_SOCKET"])
    s.sendall(text.encode() + b"\n")
    told.append(s)
def text(data):
    value = StringValue()
    assert data.Unpack(value)
    return value.value
`

// node is a Python node under test.
type node struct {
	t       testing.TB
	dir     string // the bundle's root
	url     string
	log     *buffer
	replies chan *event.Event // posted to the reply port
	copies  chan *event.Event // posted to its path /inspect
	streams chan posted       // posted to its path /stream
	socket  string            // that tell connects to
	told    chan call
	ready   chan struct{}
	result  chan error
	stop    context.CancelFunc
	end     func() error // tells the node to stop; what Run returned
}

type buffer struct {
	panics atomic.Bool // at the next line with "boom"
	again  atomic.Bool // and at the one that reports it
	mu     sync.Mutex
	b      bytes.Buffer
	news   chan struct{}
}

func (b *buffer) Write(p []byte) (int, error) {
	boom := bytes.Contains(p, []byte("boom")) && b.panics.CompareAndSwap(true, false)
	if boom || b.again.Load() && bytes.Contains(p, []byte("front panicked")) {
		panic("no room")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// await waits until the log holds text.
func (b *buffer) await(t testing.TB, text string) {
	for !strings.Contains(b.String(), text) {
		select {
		case <-b.news:
		case <-time.After(2 * time.Minute):
			require.Contains(t, b.String(), text)
		}
	}
}

// begin starts a node of the given files without waiting for it.
func begin(t testing.TB, files map[string]string, env map[string]string, o pyrunner.Options) *node {
	t.Helper()
	python, err := findPython()
	if err != nil {
		t.Skipf("no Python to run nodes with: %v", err)
	}
	n := &node{
		t: t, dir: t.TempDir(), log: &buffer{news: make(chan struct{}, 1)},
		replies: make(chan *event.Event, 64), copies: make(chan *event.Event, 64), streams: make(chan posted, 64),
		told: make(chan call, 64), ready: make(chan struct{}), result: make(chan error, 1),
	}
	n.socket = listenForCalls(t, n.told)
	for name, text := range files {
		path := filepath.Join(n.dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reply", func(w http.ResponseWriter, r *http.Request) { take(n.replies, w, r) })
	mux.HandleFunc("POST /inspect", func(w http.ResponseWriter, r *http.Request) { take(n.copies, w, r) })
	mux.HandleFunc("POST /stream", func(w http.ResponseWriter, r *http.Request) { takeStream(t, n.streams, w, r) })
	port := httptest.NewServer(mux)
	t.Cleanup(port.Close)
	settings := map[string]string{
		"KRT_PYTHON": python, "KRT_VERSION": "v1", "KRT_RUNTIME_ID": "ns", "KRT_NODE_NAME": "model",
		"KRT_WORKFLOW_NAME": "only", "KRT_BASE_PATH": n.dir, "KRT_HANDLER_PATH": "src/model/main.py",
		"KRT_REPLY_URL": port.URL, "KRT_WORKERS": "1", "PATH": os.Getenv("PATH"),
	}
	for name, value := range env {
		settings[name] = value
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n.url = "http://" + listener.Addr().String()
	o.Getenv = func(name string) string { return settings[name] }
	o.Environ = append(os.Environ(), "TEST_SOCKET="+n.socket)
	o.Output, o.Listener = n.log, listener
	o.Ready = func() { close(n.ready) }
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.result <- pyrunner.Run(ctx, o) }()
	n.end = sync.OnceValue(func() error {
		// A connection that was dialled for nothing delays a server's end.
		http.DefaultClient.CloseIdleConnections()
		cancel()
		return <-n.result
	})
	t.Cleanup(func() {
		_ = n.end()
		if t.Failed() {
			t.Log(n.log.String())
		}
	})
	return n
}

// start starts a node and waits until it is ready. code follows the prelude.
func start(t testing.TB, code string, env map[string]string) *node {
	t.Helper()
	return startWith(t, code, env, pyrunner.Options{CancelGrace: time.Minute, EndGrace: time.Minute})
}

func startWith(t testing.TB, code string, env map[string]string, o pyrunner.Options) *node {
	t.Helper()
	n := begin(t, map[string]string{"src/model/main.py": prelude + code}, env, o)
	n.awaitReady()
	return n
}

func (n *node) awaitReady() {
	n.t.Helper()
	select {
	case <-n.ready:
	case err := <-n.result:
		n.result <- err
		require.FailNow(n.t, "the node did not start", "%v\n%s", err, n.log)
	}
}

// inTime calls do with 2 s, and with twice the last time until do reports that it was enough for what must have come
// before it ends: how much that is depends on the machine.
func inTime(t testing.TB, do func(time.Duration) (enough bool)) {
	t.Helper()
	for patience := 2 * time.Second; !do(patience); patience *= 2 {
		require.Less(t, patience, time.Minute)
	}
}

// take accepts an event that was posted to the reply port.
func take(to chan<- *event.Event, w http.ResponseWriter, r *http.Request) {
	e, err := event.ReadHeader(r.Header)
	if err == nil {
		e.Data, err = io.ReadAll(r.Body)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	to <- e
	w.WriteHeader(http.StatusAccepted)
}

// request is an event with a StringValue for the node.
func request(text string) *event.Event {
	data, _ := proto.Marshal(wrapperspb.String(text))
	return &event.Event{
		ID: "e1", Source: "/krt/ns/v1/entrypoint", Type: event.TypeMessage, Message: "google.protobuf.StringValue",
		CorrelationID: "c1", Workflow: "wf", ReplyToken: "token", Data: data,
		Trace: event.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}
}

// answer is what a node answered.
type answer struct {
	status int
	header http.Header
	event  *event.Event // nil: none
	body   string
}

func (n *node) post(e *event.Event) answer {
	n.t.Helper()
	a, err := n.postContext(context.Background(), e)
	require.NoError(n.t, err)
	return a
}

func (n *node) postContext(ctx context.Context, e *event.Event) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url, bytes.NewReader(e.Data))
	if err != nil {
		return answer{}, err
	}
	e.WriteHeader(req.Header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, header: res.Header, body: string(body)}
	if out, headerErr := event.ReadHeader(res.Header); headerErr == nil {
		out.Data = body
		a.event = out
	}
	return a, err
}

// text posts s and returns the text that comes back.
func (n *node) text(s string) string {
	n.t.Helper()
	a := n.post(request(s))
	require.Equal(n.t, http.StatusOK, a.status, a.body)
	return stringOf(n.t, a.event)
}

func stringOf(t testing.TB, e *event.Event) string {
	t.Helper()
	require.NotNil(t, e)
	require.Equal(t, "google.protobuf.StringValue", e.Message)
	var value wrapperspb.StringValue
	require.NoError(t, proto.Unmarshal(e.Data, &value))
	return value.Value
}

// failure posts s and returns the code and text of the error event it causes.
func (n *node) failure(s string) (code int32, text string) {
	n.t.Helper()
	a := n.post(request(s))
	require.Equal(n.t, http.StatusAccepted, a.status, a.body)
	e := <-n.replies
	require.Equal(n.t, event.TypeError, e.Type)
	status, err := e.Status()
	require.NoError(n.t, err)
	return status.Code, status.Message
}

func mustTime(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	require.NoError(t, err)
	return at
}
