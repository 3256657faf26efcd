package entrypoint_test

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

const contract = `syntax = "proto3";
package test;
import "shared/item.proto";
message Request { string text = 1; bytes payload = 2; int32 count = 3; shared.Item item = 4; }
message Reply { string text = 1; bytes payload = 2; }
service Entrypoint {
  rpc Call(Request) returns (Reply);
  rpc Other(Request) returns (Reply);
  rpc Untied(Request) returns (Reply);
  rpc Stream(stream Request) returns (Reply);
  rpc Tokens(Request) returns (stream Reply);
}
`

func testSchema(t *testing.T) *schema.Schema {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{
		"public_input.proto": {Data: []byte(contract)},
		"shared/item.proto":  {Data: []byte("syntax = \"proto3\";\npackage shared;\nmessage Item { string name = 1; }\n")},
	}, "public_input.proto", schema.Options{})
	require.NoError(t, err)
	return s
}

// handle is what a test's node makes of an event: an HTTP status and, with 200,
// the event to respond with.
type handle func(ctx context.Context, in *event.Event) (int, *event.Event)

// node runs a node of the test's own on loopback: real HTTP, scripted responses.
func node(t *testing.T, name string, h handle) entrypoint.Step {
	t.Helper()
	s := httptest.NewServer(named(name, h))
	t.Cleanup(s.Close)
	return entrypoint.Step{Node: name, URL: s.URL}
}

// named has h say which node it is, as runners do.
func named(node string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set(event.HeaderSource, event.Source("test", "v1", node))
	})
}

// ServeHTTP implements http.Handler.
func (h handle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, err := event.ReadHeader(r.Header)
	if err == nil {
		in.Data, err = event.ReadBody(r.Body, r.ContentLength, 64<<20)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	status, out := h(r.Context(), in)
	if out == nil {
		http.Error(w, "a test's node refuses", status)
		return
	}
	if out.Type == "" { // without an event, with what it reports
		out.Steps.WriteHeader(w.Header())
		w.WriteHeader(status)
		return
	}
	out.WriteHeader(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(out.Data)))
	w.WriteHeader(status)
	_, _ = w.Write(out.Data)
}

// says returns a handler that responds with a message whose text is the
// incoming text with name appended, of type Reply when last.
func (f *fixture) says(name string, last bool) handle {
	return func(_ context.Context, in *event.Event) (int, *event.Event) {
		full := "test.Request"
		if last {
			full = "test.Reply"
		}
		return http.StatusOK, in.Next(event.Source("test", "v1", name), event.TypeMessage, full, f.text(full, f.textOf(in.Data)+">"+name))
	}
}

// fixture is an entrypoint that serves on loopback, and a client of it.
type fixture struct {
	t      *testing.T
	schema *schema.Schema
	entry  *entrypoint.Entrypoint
	conn   *grpc.ClientConn
	grpc   string
	web    string
	reply  string
	// inspect is the address of the requests that are kept.
	inspect string
	// listening changes the listeners before they are served; nil: nothing does.
	listening func(*entrypoint.Listeners)
	stop      context.CancelFunc
	done      chan error
}

// quick are options that make failures come soon. A Sequence has as long as the request: a test whose patience
// with it is to end says so.
func quick() entrypoint.Options {
	return entrypoint.Options{
		Timeout:         20 * time.Second,
		ConnectionGrace: 20 * time.Second,
		Retry:           entrypoint.Retry{Count: 3, Delay: time.Millisecond, Patience: 20 * time.Second},
		Logger:          slog.New(slog.DiscardHandler),
	}
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, schema: testSchema(t), done: make(chan error, 1)}
	return f
}

func (f *fixture) version(steps ...entrypoint.Step) entrypoint.Version {
	method, err := f.schema.Method("Call")
	require.NoError(f.t, err)
	return entrypoint.Version{
		Namespace: "test", Name: "v1", Description: "A test.", Schema: f.schema,
		Workflows: []entrypoint.Workflow{{Name: "flow", Method: method, Steps: steps}},
	}
}

// serve starts the entrypoint and stops it when the test ends.
func (f *fixture) serve(v entrypoint.Version, o entrypoint.Options) *fixture {
	f.t.Helper()
	l := entrypoint.Listeners{GRPC: listen(f.t), Web: listen(f.t), Reply: listen(f.t), Inspection: listen(f.t)}
	f.inspect = "http://" + l.Inspection.Addr().String()
	f.grpc, f.web, f.reply = l.GRPC.Addr().String(), "http://"+l.Web.Addr().String(), "http://"+l.Reply.Addr().String()
	if o.Key != nil { // there are other replicas
		o.Advertise = cmp.Or(o.Advertise, l.Reply.Addr().String())
	}
	if f.listening != nil {
		f.listening(&l)
	}
	var err error
	f.entry, err = entrypoint.New(v, o)
	require.NoError(f.t, err)
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go func() {
		f.done <- f.entry.Serve(ctx, l)
		close(f.done)
	}()
	f.t.Cleanup(func() {
		stop()
		require.NoError(f.t, <-f.done) // nil where the test has read it already
	})
	f.conn, err = grpc.NewClient(f.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = f.conn.Close() })
	return f
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

func (f *fixture) message(full string) *dynamicpb.Message {
	for _, m := range f.schema.Methods() {
		for _, d := range []*dynamicpb.Message{dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())} {
			if string(d.Descriptor().FullName()) == full {
				return d
			}
		}
	}
	f.t.Fatalf("no message %s", full)
	return nil
}

// text returns the bytes of a message with the given text.
func (f *fixture) text(full, text string) []byte {
	m := f.message(full)
	m.Set(m.Descriptor().Fields().ByName("text"), valueOf(text))
	data, err := proto.Marshal(m)
	require.NoError(f.t, err)
	return data
}

// textOf reads field 1, text, of either message.
func (f *fixture) textOf(data []byte) string {
	m := f.message("test.Reply")
	require.NoError(f.t, proto.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, m))
	return m.Get(m.Descriptor().Fields().ByName("text")).String()
}

// inTime calls do with a time, and with twice the last one until do reports that the time was enough for what
// must have come before it ends: how much that is depends on the machine.
func inTime(t *testing.T, first time.Duration, do func(time.Duration) (enough bool)) {
	t.Helper()
	for patience := first; !do(patience); patience *= 2 {
		require.Less(t, patience, time.Minute)
	}
}

// promised is a context of clients that calls say to end at an instant, but that ends only as its parent does.
type promised struct {
	context.Context
	until time.Time
}

// Deadline implements [context.Context].
func (p promised) Deadline() (time.Time, bool) { return p.until, true }

// call calls the rpc and returns the response's text.
func (f *fixture) call(ctx context.Context, text string) (string, error) {
	in, out := f.message("test.Request"), f.message("test.Reply")
	in.Set(in.Descriptor().Fields().ByName("text"), valueOf(text))
	err := f.conn.Invoke(ctx, "/test.Entrypoint/Call", in, out)
	return out.Get(out.Descriptor().Fields().ByName("text")).String(), err
}

// post posts an event to the reply port and returns the HTTP status.
func (f *fixture) post(path string, ev *event.Event, extra ...string) int {
	header := http.Header{}
	ev.WriteHeader(header)
	for i := 0; i < len(extra); i += 2 {
		header.Set(extra[i], extra[i+1])
	}
	return f.postWith(path, header, ev.Data)
}

// postWith is post for a header and data.
func (f *fixture) postWith(path string, header http.Header, data []byte) int {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.reply+path, bytes.NewReader(data))
	require.NoError(f.t, err)
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	require.NoError(f.t, err)
	defer res.Body.Close()
	return res.StatusCode
}
