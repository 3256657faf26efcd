package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/telemetry"
	"krt.dev/kn-krt/test/conformance/chain"
)

const contract = `syntax = "proto3";
package test;
import "google/protobuf/wrappers.proto";
service Entrypoint { rpc Call(google.protobuf.StringValue) returns (google.protobuf.StringValue); }
`

// What the nodes do, by the text that they get.
const (
	wantsError = "error"
	wantsEarly = "early"
)

// version is an entrypoint, with telemetry as the environment defines it, and two nodes with
// the real runner, a and b.
type version struct {
	t        *testing.T
	recorder *telemetry.Recorder
	conn     *grpc.ClientConn
	metrics  string
	stop     func()        // ends it: all spans have been sent, or dropped
	worked   chan struct{} // lets the work behind an early reply end
	refusals atomic.Int32  // how many events a will refuse, from now on
}

// start serves a version by direct delivery, or through a Sequence.
func start(t *testing.T, sequence bool) *version {
	t.Helper()
	v := &version{t: t, worked: make(chan struct{}, 1)}
	l := entrypoint.Listeners{GRPC: listen(t), Web: listen(t), Reply: listen(t)}
	reply := "http://" + l.Reply.Addr().String()
	v.metrics = reply + "/metrics"
	s, err := schema.Compile(t.Context(), fstest.MapFS{"public_input.proto": {Data: []byte(contract)}}, "public_input.proto", schema.Options{})
	require.NoError(t, err)
	method, err := s.Method("Call")
	require.NoError(t, err)
	w := entrypoint.Workflow{Name: "flow", Method: method, Steps: []entrypoint.Step{
		{Node: "a", URL: v.refusing(v.node("a", reply, v.first))}, {Node: "b", URL: v.node("b", reply, pass)},
	}}
	const retries = 2
	if sequence {
		w.Address = chain.NewDispatcher(t).Sequence("flow", chain.Delivery{
			Reply: reply + "/reply", DeadLetter: reply + "/dead-letter", Timeout: time.Minute, Retry: retries, Backoff: time.Millisecond,
		}, w.Steps[0].URL, w.Steps[1].URL)
	}
	o := entrypoint.Options{
		Logger: slog.New(slog.DiscardHandler), Retry: entrypoint.Retry{Count: retries, Delay: time.Millisecond, Patience: time.Minute},
		ConnectionGrace: time.Minute, Timeout: 10 * time.Minute, // many requests on a busy machine
	}
	v.recorder, err = telemetry.FromEnvironment(telemetry.Process{Namespace: "test"}, o.Logger)
	require.NoError(t, err)
	if v.recorder != nil {
		v.recorder.AddTo(&o)
	}
	v.serve(entrypoint.Version{Namespace: "test", Name: "v1", Schema: s, Workflows: []entrypoint.Workflow{w}}, o, l)
	return v
}

func (v *version) serve(served entrypoint.Version, o entrypoint.Options, l entrypoint.Listeners) {
	e, err := entrypoint.New(served, o)
	require.NoError(v.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Serve(ctx, l) }()
	stopped := false
	v.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(v.t, <-done)
		if v.recorder != nil {
			v.recorder.Close(time.Minute)
		}
	}
	v.t.Cleanup(v.stop)
	v.conn, err = grpc.NewClient(l.GRPC.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(v.t, err)
	v.t.Cleanup(func() { _ = v.conn.Close() })
}

// node runs a node with the real runner, and returns its URL.
func (v *version) node(name, reply string, handler runner.Handler) string {
	l := listen(v.t)
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	env := map[string]string{
		environment.Version: "v1", environment.RuntimeID: "test", environment.NodeName: name, environment.ReplyURL: reply,
	}
	go func() {
		done <- runner.Run(ctx, runner.Options{
			Getenv: func(name string) string { return env[name] }, Listener: l, Ready: func() { close(ready) },
			Logger: slog.New(slog.DiscardHandler),
		}, nil, handler)
	}()
	v.t.Cleanup(func() {
		cancel()
		require.NoError(v.t, <-done)
	})
	<-ready
	return "http://" + l.Addr().String()
}

// refusing is the address of what stands in front of a node, and refuses as many events as
// it is told to.
func (v *version) refusing(node string) string {
	to, err := url.Parse(node)
	require.NoError(v.t, err)
	pass := httputil.NewSingleHostReverseProxy(to)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v.refusals.Add(-1) >= 0 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	v.t.Cleanup(s.Close)
	return s.URL
}

// pass returns what it gets.
func pass(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	return data.UnmarshalNew()
}

// first is the handler of a.
func (v *version) first(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	in := &wrapperspb.StringValue{}
	if err := data.UnmarshalTo(in); err != nil {
		return nil, err
	}
	switch in.GetValue() {
	case wantsError:
		return nil, errors.New("the model is \"missing\"")
	case wantsEarly:
		if err := ctx.EarlyReply(in); err != nil {
			return nil, err
		}
		<-v.worked
	}
	return in, nil
}

// call calls the version.
func (v *version) call(ctx context.Context, text string) error {
	return v.conn.Invoke(ctx, "/test.Entrypoint/Call", wrapperspb.String(text), &wrapperspb.StringValue{})
}

// scrape returns the metrics.
func (v *version) scrape() string {
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.metrics, http.NoBody)
	require.NoError(v.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(v.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(v.t, err)
	return string(text)
}
