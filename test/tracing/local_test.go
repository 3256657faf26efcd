package tracing

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/test/localrun"
)

func TestMain(m *testing.M) {
	if os.Getenv("KRT_JAEGER") == "" { // all are skipped: nothing need be built
		os.Exit(m.Run())
	}
	localrun.Main(m)
}

// estimator are the names of the example's spans.
const (
	estimator  = "price-estimator-v1"
	estimate   = "roomprice.Entrypoint/MakePrediction"
	entrypoint = estimator + "-entrypoint"
)

var estimatorNodes = []string{"etl", "model", "output"}

// room is a request for a room in a borough.
func room(borough string) string {
	return fmt.Sprintf(`{"borough": %q, "room_type": "Private room", "accommodates": 2, "bedrooms": 1,
		"bathrooms": 1, "beds": 1, "latitude": 40.73, "longitude": -73.86}`, borough)
}

// caller is a client's own span, which nobody reports.
type caller struct{ trace, span string }

func newCaller() caller {
	return caller{fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()|1), fmt.Sprintf("%016x", rand.Uint64()|1)}
}

// in returns a context for a call by gRPC that belongs to the caller's trace.
func (c caller) in(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "traceparent", "00-"+c.trace+"-"+c.span+"-01")
}

// alone skips a test of versions on this machine where it cannot run, or is not what is asked
// for.
func alone(t *testing.T) {
	t.Helper()
	if os.Getenv("KRT_E2E") != "" {
		t.Skip("needs no cluster: make test-tracing")
	}
	localrun.NeedPython(t)
}

// start runs a bundle that sends its spans there.
func start(t *testing.T, endpoint, protocol, bundle string, args ...string) *localrun.Version {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
	return localrun.Start(t, bundle, args...)
}

func TestALocalRun(t *testing.T) {
	alone(t)
	j := Start(t, "127.0.0.1")
	v := start(t, j.HTTP, "http/protobuf", "../../functions/price-estimator", "--set", "OUTPUT_PRICE_CURRENCY=EUR")
	method, err := v.Method(t.Context(), estimate)
	require.NoError(t, err)
	t.Run("a request is one trace", func(t *testing.T) {
		c := newCaller()
		_, err := method.Call(c.in(t.Context()), room("Queens"))
		require.NoError(t, err)
		trace := j.Trace(t, c.trace, spans(1+2*len(estimatorNodes)))
		t.Logf("\n%s", trace)
		require.Empty(t, trace.Orphans(c.span))
		request := one(t, trace, estimate)
		require.Equal(t, c.span, request.Parent)
		require.Equal(t, []string{entrypoint, "server"}, []string{request.Service, request.Kind})
		for _, node := range estimatorNodes {
			send, process := one(t, trace, "send "+node), one(t, trace, "process "+node)
			require.Equal(t, []string{request.ID, entrypoint, "producer"}, []string{send.Parent, send.Service, send.Kind})
			require.Equal(t, []string{send.ID, estimator + "-" + node, "consumer"}, []string{process.Parent, process.Service, process.Kind})
			require.Equal(t, node, process.Tags["krt.node"])
			require.False(t, process.Begin.Before(send.Begin) || process.End().After(send.End()), "%s is not within its attempt:\n%s", node, trace)
		}
		require.False(t, slices.ContainsFunc(trace, func(s Span) bool { return s.Failed }))
	})
	t.Run("an error marks its node", func(t *testing.T) {
		c := newCaller()
		_, err := method.Call(c.in(t.Context()), room("Atlantis"))
		require.Equal(t, codes.Internal, status.Code(err))
		trace := j.Trace(t, c.trace, spans(5))
		t.Logf("\n%s", trace)
		require.Len(t, trace, 5, "nothing of the node after it")
		require.Empty(t, trace.Orphans(c.span))
		require.False(t, one(t, trace, "process etl").Failed)
		for _, name := range []string{"process model", estimate} {
			failed := one(t, trace, name)
			require.True(t, failed.Failed, name)
			require.Contains(t, failed.Status, "borough 'Atlantis' is unknown to the model", name)
		}
	})
	t.Run("no parent is missing in 1,000 requests", func(t *testing.T) { manyRequests(t, j, method) })
}

// manyRequests sends requests of callers with and without a trace.
func manyRequests(t *testing.T, j *Jaeger, method *localrun.Method) {
	const requests, failing = 1000, 10 // each tenth
	before, err := j.Traces(t.Context(), entrypoint)
	require.NoError(t, err)
	var group errgroup.Group
	group.SetLimit(8)
	callers := map[string]string{} // spans by trace
	for i := range requests {
		ctx, borough := t.Context(), "Queens"
		if i%2 == 0 {
			c := newCaller()
			callers[c.trace] = c.span
			ctx = c.in(ctx)
		}
		if i%failing == 0 {
			borough = "Atlantis"
		}
		group.Go(func() error {
			if _, err := method.Call(ctx, room(borough)); (err != nil) != (borough == "Atlantis") {
				return fmt.Errorf("request %d: %w", i, err)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	want := requests*(1+2*len(estimatorNodes)) - requests/failing*2
	var traces map[string]Trace
	eventually(t, func() error {
		var err error
		if traces, err = j.Traces(t.Context(), entrypoint); err != nil {
			return err
		}
		got := 0
		for id, trace := range traces {
			if _, old := before[id]; old {
				delete(traces, id)
			} else {
				got += len(trace)
			}
		}
		if got != want || len(traces) != requests {
			return fmt.Errorf("%d traces with %d spans have arrived of %d with %d", len(traces), got, requests, want)
		}
		return nil
	})
	for id, trace := range traces {
		require.Empty(t, trace.Orphans(callers[id]), "%s", trace)
		require.Equal(t, callers[id], one(t, trace, estimate).Parent)
		delete(callers, id)
	}
	require.Empty(t, callers, "each caller's trace is there")
}

// A worker that is killed is replaced, and the event is sent again.
func TestARetryHasItsOwnSpan(t *testing.T) {
	alone(t)
	j := Start(t, "127.0.0.1")
	v := start(t, j.GRPC, "grpc", "testdata/mortal")
	method, err := v.Method(t.Context(), "mortal.Entrypoint/Greet")
	require.NoError(t, err)
	c := newCaller()
	response, err := method.Call(c.in(t.Context()), fmt.Sprintf(`{"marker": %q}`, filepath.Join(t.TempDir(), "marker")))
	require.NoError(t, err)
	require.JSONEq(t, `{"text": "second"}`, response)
	trace := j.Trace(t, c.trace, func(trace Trace) error {
		if len(trace.Find("process mortal")) == 0 {
			return errors.New("the node's span is missing")
		}
		if len(trace.Find("mortal.Entrypoint/Greet")) == 0 || len(trace.Orphans(c.span)) > 0 {
			return errors.New("spans of the entrypoint are missing")
		}
		return nil
	})
	t.Logf("\n%s", trace)
	request, process := one(t, trace, "mortal.Entrypoint/Greet"), one(t, trace, "process mortal")
	require.False(t, request.Failed)
	sends := trace.Find("send mortal")
	require.GreaterOrEqual(t, len(sends), 2)
	for i, send := range sends {
		last := i == len(sends)-1
		require.Equal(t, request.ID, send.Parent)
		require.Equal(t, !last, send.Failed, "attempt %d", i+1)
		require.Equal(t, last, send.ID == process.Parent, "attempt %d", i+1)
	}
}

// spans is a check that a trace has at least so many.
func spans(n int) func(Trace) error {
	return func(trace Trace) error {
		if len(trace) < n {
			return fmt.Errorf("%d spans of %d", len(trace), n)
		}
		return nil
	}
}

// one returns the only span with that name.
func one(t *testing.T, trace Trace, name string) Span {
	t.Helper()
	found := trace.Find(name)
	require.Len(t, found, 1, "spans with the name %q in\n%s", name, trace)
	return found[0]
}
