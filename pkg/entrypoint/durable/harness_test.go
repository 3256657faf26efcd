package durable_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/test/jetstream"
)

func TestMain(m *testing.M) {
	jetstream.Main()
	os.Exit(m.Run())
}

// patient is for what a busy machine may take long to do.
const patient = 2 * time.Minute

// The messages have the form of google.protobuf.StringValue: one text.
const contract = `syntax = "proto3";
package test;
message Request { string text = 1; }
message Reply { string text = 1; }
service Entrypoint { rpc Call(Request) returns (Reply); }
`

func encode(text string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), text)
}

func decode(t testing.TB, data []byte) string {
	_, _, n := protowire.ConsumeTag(data)
	require.Positive(t, n)
	text, n := protowire.ConsumeString(data[n:])
	require.Positive(t, n)
	return text
}

// node is a node of the test's own. It appends its name to the text, unless work says otherwise.
type node struct {
	t       testing.TB
	name    string
	last    bool
	address string
	seconds int64 // that a call may take; 0: it is not bounded
	server  *http.Server

	mu   sync.Mutex
	runs map[string]int // by the text that it got
	work func(ctx context.Context, in *event.Event, text string) (int, *event.Event)
}

func newNode(t testing.TB, name string, last bool) *node {
	n := &node{t: t, name: name, last: last, runs: map[string]int{}}
	l := listen(t, "127.0.0.1:0")
	n.address = l.Addr().String()
	n.serve(l)
	t.Cleanup(n.kill)
	return n
}

func (n *node) serve(l net.Listener) {
	n.server = &http.Server{Handler: n, ReadHeaderTimeout: patient}
	go func(s *http.Server) { _ = s.Serve(l) }(n.server)
}

// kill breaks all connections, as the end of the node's process does; start accepts new ones.
func (n *node) kill() { _ = n.server.Close() }

func (n *node) start() { n.serve(listen(n.t, n.address)) }

// ServeHTTP implements http.Handler.
func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := event.ReadHeader(r.Header)
	if err == nil {
		in.Data, err = event.ReadBody(r.Body, r.ContentLength, 64<<20)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := decode(n.t, in.Data)
	n.mu.Lock()
	n.runs[text]++
	work := n.work
	n.mu.Unlock()
	status, out := http.StatusOK, n.next(in, text+">"+n.name)
	if work != nil {
		status, out = work(r.Context(), in, text)
	}
	if out == nil {
		http.Error(w, "a test's node refuses", status)
		return
	}
	if out.Type == "" { // without an event
		w.WriteHeader(status)
		return
	}
	out.WriteHeader(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(out.Data)))
	w.WriteHeader(status)
	_, _ = w.Write(out.Data)
}

func (n *node) next(in *event.Event, text string) *event.Event {
	full := "test.Request"
	if n.last {
		full = "test.Reply"
	}
	out := in.Next(event.Source("test", "v1", n.name), event.TypeMessage, full, encode(text))
	out.Steps = in.Steps.Append(event.Step{Node: n.name, Start: time.Now(), SpanID: event.NewSpan()})
	return out
}

// works has the node do something else from now on; nil: what it does by itself.
func (n *node) works(f func(ctx context.Context, in *event.Event, text string) (int, *event.Event)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.work = f
}

func (n *node) ran(text string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.runs[text]
}

// ended is the response without an event.
func ended() (int, *event.Event) { return http.StatusAccepted, &event.Event{} }

// version is a version with the nodes a, b and c in its only workflow.
type version struct {
	t       testing.TB
	nodes   []*node
	letters *box
	queue   queue.Settings
	change  func(*durable.Options)
	options func(*entrypoint.Options)
	log     *slog.Logger
}

func newVersion(t testing.TB, url string) *version {
	v := &version{
		t: t, letters: &box{letters: map[string]letter.Letter{}}, queue: queue.Settings{URL: url},
		log: slog.New(slog.NewTextHandler(testLog{t}, nil)),
	}
	for i, name := range []string{"a", "b", "c"} {
		v.nodes = append(v.nodes, newNode(t, name, i == 2))
	}
	return v
}

// testLog writes lines to a test's log until it ends.
type testLog struct{ t testing.TB }

// Write implements io.Writer.
func (l testLog) Write(p []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// replica is one entrypoint.
type replica struct {
	version *version
	carrier *durable.Carrier
	way     *way
	conn    *grpc.ClientConn
	web     string
	reply   string
	inspect string
	stop    context.CancelFunc
	done    chan error
}

// serve starts a replica, which ends with the test.
func (v *version) serve() *replica {
	v.t.Helper()
	s, err := schema.Compile(v.t.Context(), fstest.MapFS{"p.proto": {Data: []byte(contract)}}, "p.proto", schema.Options{})
	require.NoError(v.t, err)
	method, err := s.Method("Call")
	require.NoError(v.t, err)
	var steps []entrypoint.Step
	for _, n := range v.nodes {
		steps = append(steps, entrypoint.Step{Node: n.name, URL: "http://" + n.address, TimeoutSeconds: n.seconds})
	}
	l := entrypoint.Listeners{GRPC: listen(v.t, "127.0.0.1:0"), Web: listen(v.t, "127.0.0.1:0"), Reply: listen(v.t, "127.0.0.1:0"),
		Inspection: listen(v.t, "127.0.0.1:0")}
	retry := entrypoint.Retry{Count: 3, Delay: 2 * time.Millisecond, Patience: patient / 2}
	own := durable.Options{
		Namespace: "test", Version: "v1", Queue: v.queue, Letters: v.letters, Results: time.Hour, Background: time.Hour, Retry: retry,
		Workflows: []durable.Workflow{{Name: "flow", Steps: steps}}, Logger: v.log,
	}
	way := newWay(v.t, strings.TrimPrefix(v.queue.URL, "nats://"))
	own.Queue.URL = "nats://" + way.l.Addr().String()
	if v.change != nil {
		v.change(&own)
	}
	carrier, err := durable.New(own)
	require.NoError(v.t, err)
	o := entrypoint.Options{
		Timeout: patient, ConnectionGrace: 20 * time.Second, Retry: retry, Queue: carrier, Logger: v.log,
		Key: []byte("durable durable durable durable!"), Advertise: l.Reply.Addr().String(),
	}
	o.Collectors, o.Inspection = append(o.Collectors, carrier), carrier.Handlers()
	if v.options != nil {
		v.options(&o)
	}
	e, err := entrypoint.New(entrypoint.Version{
		Namespace: "test", Name: "v1", Schema: s, BackgroundTimeout: own.Background,
		Workflows: []entrypoint.Workflow{{Name: "flow", Method: method, Steps: steps}},
	}, o)
	require.NoError(v.t, err)
	ctx, stop := context.WithCancel(context.Background())
	r := &replica{version: v, carrier: carrier, way: way, stop: stop, done: make(chan error, 1),
		web: "http://" + l.Web.Addr().String(), reply: "http://" + l.Reply.Addr().String(),
		inspect: "http://" + l.Inspection.Addr().String()}
	go func() { r.done <- e.Serve(ctx, l); close(r.done) }()
	v.t.Cleanup(func() { stop(); r.ended() })
	r.conn, err = grpc.NewClient(l.GRPC.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(v.t, err)
	v.t.Cleanup(func() { _ = r.conn.Close() })
	return r
}

func listen(t testing.TB, address string) (l net.Listener) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		return err == nil
	}, patient, time.Millisecond)
	return l
}

// call calls the rpc and waits for the response.
func (r *replica) call(ctx context.Context, text string) (string, error) {
	out := &wrapperspb.StringValue{}
	err := r.conn.Invoke(ctx, "/test.Entrypoint/Call", wrapperspb.String(text), out)
	return out.GetValue(), err
}

// async sends an event that nobody waits for, and returns its correlation id.
func (r *replica) async(text string) (id string, status int) {
	r.version.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.web+"/workflows/flow", bytes.NewReader(encode(text)))
	require.NoError(r.version.t, err)
	for name, value := range map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": cmp.Or(text, "1"), "Ce-Source": "/test", "Ce-Type": "any",
		"Content-Type": "application/protobuf", "Prefer": "respond-async",
	} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.Header.Get("Krt-Correlation-Id"), res.StatusCode
}

// accepted is async for an event that must be accepted.
func (r *replica) accepted(text string) string {
	r.version.t.Helper()
	id, status := r.async(text)
	require.Equal(r.version.t, http.StatusAccepted, status)
	require.NotEmpty(r.version.t, id)
	return id
}

// post has a node post an event to the reply port.
func (r *replica) post(ev *event.Event) int {
	status := r.tryPost(context.Background(), ev)
	require.NotZero(r.version.t, status)
	return status
}

// tryPost is post to a replica that may not be there; then the status is 0.
func (r *replica) tryPost(ctx context.Context, ev *event.Event) (status int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.reply+"/reply", bytes.NewReader(ev.Data))
	require.NoError(r.version.t, err)
	ev.WriteHeader(req.Header)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

// metrics is the text of the replica's metrics.
func (r *replica) metrics() string {
	res, err := http.Get(r.reply + "/metrics")
	require.NoError(r.version.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(r.version.t, err)
	return string(text)
}

// shows waits until the replica's metrics have all lines, or what lines begin with.
func (r *replica) shows(lines ...string) {
	r.version.t.Helper()
	var text string
	require.Eventually(r.version.t, func() bool {
		text = r.metrics()
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(text, line) })
	}, patient, 5*time.Millisecond, "%s", lazy(func() string { return strings.Join(lines, "\n") + "\n\n" + text }))
}

// succeeds waits until try does: what is asked of the queue may take longer than one try of it, on a busy machine.
func (v *version) succeeds(try func() error) {
	v.t.Helper()
	var err error
	require.Eventually(v.t, func() bool { err = try(); return err == nil }, patient, 5*time.Millisecond, "%s",
		lazy(func() string { return fmt.Sprint(err) }))
}

// empty waits until nothing is in the queue any more.
func (r *replica) empty() {
	r.version.t.Helper()
	last, failure, begin := queue.Status{}, "none", time.Now()
	require.Eventually(r.version.t, func() bool {
		status, err := r.carrier.Status(context.Background())
		if err != nil {
			failure = fmt.Sprintf("after %s: %v", time.Since(begin).Round(time.Millisecond), err)
			return false
		}
		last = status
		return status.Events == 0 && status.Bytes == 0
	}, patient, 5*time.Millisecond, "%s", lazy(func() string { return fmt.Sprintf("%+v\nthe last error: %s", last, failure) }))
}

// lazy is text that is made when it is printed.
type lazy func() string

// String implements fmt.Stringer.
func (l lazy) String() string { return l() }

// ended waits until the replica has stopped, in whatever way.
func (r *replica) ended() {
	for range r.done { // until it is closed
	}
}
