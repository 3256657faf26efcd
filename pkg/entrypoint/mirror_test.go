package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/runner/event"
)

// mirrors is what the file says of the canary f, which gets copies of all requests.
func (f *fixture) mirrors() *traffic.Canary {
	c := f.gives(0)
	c.Mirror = 100
	return c
}

// awaits requires that the metrics have a line soon.
func (f *fixture) awaits(line string) {
	f.t.Helper()
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		require.Contains(c, f.metrics(), line+"\n")
	}, time.Minute, 10*time.Millisecond)
}

// copied is a canary whose node keeps the events that it gets, and responds as h.
func copied(t *testing.T, h handle) (*fixture, chan *event.Event) {
	got := make(chan *event.Event, 100)
	var f *fixture
	f = canary(t, func(ctx context.Context, in *event.Event) (int, *event.Event) {
		select {
		case got <- in:
		case <-ctx.Done(): // nobody looks any more
		}
		if h != nil {
			return h(ctx, in)
		}
		return f.says("published", true)(ctx, in)
	})
	return f, got
}

// dividing is published with something kept of messages.
func dividing(t *testing.T, c *traffic.Canary, inspect *capture.Settings) *fixture {
	f := newFixture(t)
	f.schema = annotated(t)
	v, o := newVolume(t), quick()
	v.write(c)
	o.Traffic = v.folder
	version := f.version(node(t, "published", f.says("published", true)))
	version.Inspect = inspect
	return f.serve(version, o)
}

// TestEveryProtocolIsCopied: the client gets the published response, and the canary a copy that is
// marked, over gRPC and only once.
func TestEveryProtocolIsCopied(t *testing.T) {
	to, got := copied(t, nil)
	f := published(t, to.mirrors(), quick())
	for name, c := range f.clients() {
		answer := f.ask(append(c, "X-Odd!Name", "1", "X-User", "ada\u00e9")) // which gRPC cannot carry
		require.Equal(t, http.StatusOK, answer.status, name)
		require.Contains(t, answer.body, "published", name)
		require.True(t, (<-got).Mirror, name)
	}
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	text, err := f.call(metadata.AppendToOutgoingContext(t.Context(), "traceparent", parent), "hi")
	require.NoError(t, err)
	require.Equal(t, "hi>published", text)
	require.Equal(t, parent, (<-got).Trace.Parent, "the client's metadata passes")
	f.awaits(`krt_traffic_mirrored_total{canary="v2",result="equal"} 9`)
	f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="published"} 9`)
	f.counts(`krt_traffic_requests_total{canary="v2",code="OK",side="canary"} 0`)
	require.Empty(t, got)
}

// differences are those that f keeps, once there are n of them.
func (f *fixture) differences(n int) []inspection.Difference {
	f.t.Helper()
	client, err := inspection.New(f.inspect, nil)
	require.NoError(f.t, err)
	var found []inspection.Difference
	require.EventuallyWithT(f.t, func(c *assert.CollectT) {
		found, err = client.Differences(f.t.Context(), "v2")
		require.NoError(c, err)
		require.Len(c, found, n)
	}, time.Minute, 10*time.Millisecond)
	return found
}

func TestWhatDiffersIsKept(t *testing.T) {
	to := canary(t, nil) // it adds its own name
	for name, one := range map[string]struct {
		inspect *capture.Settings
		want    inspection.Field
	}{
		"without messages": {nil, inspection.Field{Path: "text"}},
		"with messages":    {&capture.Settings{}, inspection.Field{Path: "text", Published: `"hi>published"`, Canary: `"hi>canary"`}},
		"redacted": {
			&capture.Settings{Redact: []string{"text"}}, inspection.Field{Path: "text", Published: "[redacted]", Canary: "[redacted]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := dividing(t, to.mirrors(), one.inspect)
			_, err := f.call(t.Context(), "hi")
			require.NoError(t, err)
			d := f.differences(1)[0]
			require.Equal(t, []inspection.Field{one.want}, d.Fields)
			require.Equal(t, []string{"v2", "flow", "test.Entrypoint/Call", "OK", "OK"},
				[]string{d.Canary, d.Workflow, d.Method, d.PublishedCode, d.CanaryCode})
			require.NotEmpty(t, d.ID)
			require.Equal(t, one.inspect != nil, d.Request != nil)
			if one.inspect != nil {
				require.Equal(t, one.inspect.Redact == nil, strings.Contains(string(d.Request.JSON), `"hi"`))
			}
			f.awaits(`krt_traffic_mirrored_total{canary="v2",result="different"} 1`) // it is kept first
		})
	}
}

func TestIgnoredFieldsAreEqual(t *testing.T) {
	to := canary(t, nil)
	c := to.mirrors()
	c.Ignore = []string{"text"}
	f := published(t, c, quick())
	_, err := f.call(t.Context(), "hi")
	require.NoError(t, err)
	f.awaits(`krt_traffic_mirrored_total{canary="v2",result="equal"} 1`)
}

// TestCodesAreCompared: a canary that fails differs, one that cannot be reached has failed.
func TestCodesAreCompared(t *testing.T) {
	to := canary(t, func(_ context.Context, in *event.Event) (int, *event.Event) {
		message, data, err := event.Encode(event.Failure{Code: code.Code_NOT_FOUND, Text: "no such room"}.Status())
		require.NoError(t, err)
		return http.StatusOK, in.Next("/krt/x/v2/canary", event.TypeError, message, data)
	})
	f := published(t, to.mirrors(), quick())
	_, err := f.call(t.Context(), "hi")
	require.NoError(t, err)
	d := f.differences(1)[0]
	require.Equal(t, []string{"OK", "NOT_FOUND"}, []string{d.PublishedCode, d.CanaryCode})
	require.Empty(t, d.Fields)
}

func TestAnUnreachableCanaryHasFailed(t *testing.T) {
	to := canary(t, nil)
	c := to.mirrors()
	c.GRPC = "127.0.0.1:1"
	f := published(t, c, quick())
	_, err := f.call(t.Context(), "hi")
	require.NoError(t, err)
	f.awaits(`krt_traffic_mirrored_total{canary="v2",result="failed"} 1`)
}

// TestCopiesAreBounded: while the canary does not respond, clients do not wait, copies do, and those
// for which there is no room are dropped.
func TestCopiesAreBounded(t *testing.T) {
	release := make(chan struct{})
	to, got := copied(t, func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return http.StatusInternalServerError, nil
	})
	f := published(t, to.mirrors(), quick())
	for range 100 {
		text, err := f.call(t.Context(), "hi")
		require.NoError(t, err)
		require.Equal(t, "hi>published", text)
	}
	require.NotContains(t, f.metrics(), `krt_traffic_mirrored_total{canary="v2",result="dropped"} 0`)
	for range 8 {
		<-got
	}
	close(release)
}

// accepting is a queue that has every event at once, and carries none.
type accepting struct{}

func (accepting) Delivery(s *delivery.Sender, _ string, _ []delivery.Step) (delivery.Delivery, error) {
	return s.Queued("test", func(context.Context, *delivery.Request) error { return nil }), nil
}
func (accepting) Start(delivery.Home) error                { return nil }
func (accepting) Carried(seal.ID, string) delivery.Carried { return nil }
func (accepting) Stop(context.Context)                     {}

// TestWorkThatAQueueTakesOverIsNotCopied: what comes of it is not known here, and no response is not another one.
func TestWorkThatAQueueTakesOverIsNotCopied(t *testing.T) {
	to, got := copied(t, nil)
	o := quick()
	o.Queue = accepting{}
	f := published(t, to.mirrors(), o)
	require.Equal(t, http.StatusAccepted, f.async().status)
	f.awaitIdle()
	require.Never(t, func() bool { return len(got) > 0 }, 300*time.Millisecond, 10*time.Millisecond)
	for _, result := range []string{"equal", "different", "failed", "dropped"} {
		require.Contains(t, f.metrics(), `krt_traffic_mirrored_total{canary="v2",result="`+result+`"} 0`)
	}
}
