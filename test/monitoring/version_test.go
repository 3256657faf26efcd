package monitoring_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/inventory"
	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/test/process"
)

const contract = `syntax = "proto3";
package test;
message Payload { string text = 1; }
service Test {
  rpc Call(Payload) returns (Payload);
  rpc Stream(Payload) returns (stream Payload);
}
`

// pace is how often Prometheus reads metrics, and how long it waits for them; patience is how long it may
// take until it has what a query asks for.
const pace, patience = time.Second, 3 * time.Minute

// What a request makes the node do.
const (
	works   = "works"
	fails   = "fails"
	replies = "replies"
	streams = "streams"
)

// node returns what it was given. It refuses each tenth event once.
type node struct{ came atomic.Int64 }

func (*node) Init(context.Context) error { return nil }
func (*node) Down() error                { return nil }

func (n *node) Call(c *runner.HandlerContext, in *event.Event) (runner.Output, error) {
	runner.Begin(c)
	out := runner.Output{Message: in.Message, Data: in.Data}
	switch {
	case n.came.Add(1)%10 == 0:
		return out, &runner.Unavailable{Err: errors.New("busy with the test")}
	case bytes.Contains(in.Data, []byte(fails)):
		return out, errors.New("the test wants it")
	case bytes.Contains(in.Data, []byte(replies)):
		return out, runner.ReplyEncoded(c, out)
	case bytes.Contains(in.Data, []byte(streams)):
		return out, runner.SendEncoded(c, out)
	}
	return out, nil
}

// version is an entrypoint with two nodes, and their addresses.
type version struct{ web, reply string }

// serve runs a version until the end of the test. Its events go through the queue, if it has one.
func serve(t *testing.T, at string) version {
	t.Helper()
	compiled, err := schema.Compile(t.Context(), fstest.MapFS{"test.proto": {Data: []byte(contract)}}, "test.proto", schema.Options{})
	require.NoError(t, err)
	listeners := entrypoint.Listeners{GRPC: listen(t), Web: listen(t), Reply: listen(t)}
	v := version{web: "http://" + listeners.Web.Addr().String(), reply: listeners.Reply.Addr().String()}
	steps := []entrypoint.Step{{Node: "etl", URL: v.node(t, "etl")}, {Node: "model", URL: v.node(t, "model")}}
	var workflows []entrypoint.Workflow
	for name, rpc := range map[string]string{"flow": "Call", "streaming": "Stream"} {
		method, err := compiled.Method(rpc)
		require.NoError(t, err)
		workflows = append(workflows, entrypoint.Workflow{Name: name, Method: method, Steps: steps})
	}
	o := entrypoint.Options{Retry: entrypoint.Retry{Count: 3, Delay: time.Millisecond}, Logger: slog.New(slog.DiscardHandler)}
	waker, err := warm.New(map[string]string{"model": steps[1].URL}, o.Logger)
	require.NoError(t, err)
	t.Cleanup(waker.Close)
	o.Waker, o.Observers, o.Collectors = waker, []record.Observer{waker}, []prometheus.Collector{waker}
	if at != "" {
		carrier, err := durable.New(durable.Options{
			Namespace: "test", Version: "my-version", Queue: queue.Settings{URL: at, MaxBytes: 64 << 20, Replicas: 1},
			Retry: o.Retry, Background: time.Hour,
			Workflows: []durable.Workflow{{Name: "flow", Steps: steps}, {Name: "streaming", Steps: steps}}, Logger: o.Logger,
		})
		require.NoError(t, err)
		o.Queue, o.Collectors = carrier, append(o.Collectors, carrier)
	}
	e, err := entrypoint.New(entrypoint.Version{Namespace: "test", Name: "my-version", Schema: compiled, Workflows: workflows}, o)
	require.NoError(t, err)
	until(t, func(ctx context.Context) error { return e.Serve(ctx, listeners) })
	return v
}

// node runs a Go node and returns its URL.
func (v version) node(t *testing.T, name string) string {
	t.Helper()
	listener, ready := listen(t), make(chan struct{})
	variables := map[string]string{
		environment.NodeName: name, environment.Version: "my-version", environment.ReplyURL: "http://" + v.reply,
	}
	o := runner.Options{
		Getenv: func(key string) string { return variables[key] }, Listener: listener,
		Logger: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
	}
	until(t, func(ctx context.Context) error { return runner.RunForeign(ctx, o, &node{}) })
	<-ready
	return "http://" + listener.Addr().String()
}

// until runs a server until the end of the test.
func until(t *testing.T, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := process.Listen(t.Context())
	require.NoError(t, err)
	return l
}

// load sends requests of each kind, and a reply that no request waits for.
func (v version) load(t require.TestingT) {
	for range 5 {
		for _, what := range []string{works, works, works, fails, replies} {
			post(t, v.web+"/test.Test/Call", `{"text": "`+what+`"}`)
		}
		post(t, v.web+"/test.Test/Stream", `{"text": "`+streams+`"}`)
	}
	post(t, "http://"+v.reply+"/reply", "{}")
}

func post(t require.TestingT, url, text string) {
	res, err := http.Post(url, "application/json", bytes.NewReader([]byte(text)))
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
}

// cluster is what the controller has read: a version that is ready and published.
type cluster struct{ client.Reader }

// List implements client.Reader.
func (cluster) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	meta := metav1.ObjectMeta{Name: "my-version", Namespace: "test"}
	switch l := list.(type) {
	case *v1alpha1.VersionList:
		l.Items = []v1alpha1.Version{{ObjectMeta: meta, Spec: v1alpha1.VersionSpec{State: v1alpha1.StateStarted}}}
		l.Items[0].Status.Phase = v1alpha1.PhasePublished
		l.Items[0].Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	case *v1alpha1.RuntimeList:
		l.Items = []v1alpha1.Runtime{{ObjectMeta: meta, Status: v1alpha1.RuntimeStatus{PublishedVersion: "my-version"}}}
	}
	return nil
}

// controller serves the metrics of a controller, and returns its address.
func controller(t *testing.T) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(inventory.New(cluster{}))
	s := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
