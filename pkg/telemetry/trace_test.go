package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/telemetry"
)

// each tries both ways of delivery and both protocols.
func each(t *testing.T, try func(t *testing.T, v *version, c *collector, sequence bool)) {
	for _, protocol := range []telemetry.Protocol{telemetry.GRPC, telemetry.HTTP} {
		for _, sequence := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sequence %v", protocol, sequence), func(t *testing.T) {
				c := receive(t, protocol)
				try(t, start(t, sequence), c, sequence)
			})
		}
	}
}

// TestARequestIsOneTrace: of 1,000 requests, half of clients with a trace of their own, no
// span has a parent that is missing.
func TestARequestIsOneTrace(t *testing.T) {
	const requests, clients = 250, 10
	each(t, func(t *testing.T, v *version, c *collector, sequence bool) {
		parents := sync.Map{} // span of the client, by trace
		var group sync.WaitGroup
		for i := range clients {
			group.Go(func() {
				for j := range requests / clients {
					ctx := context.Background()
					if i%2 == 0 {
						trace := event.RootTrace([16]byte{1, 14: byte(i), 15: byte(j)}, event.NewSpan())
						parents.Store(trace.ID(), trace.SpanID())
						ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", trace.Parent)
					}
					if err := v.call(ctx, "x"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		v.stop()
		traces, spans := c.traces(), 0
		require.Len(t, traces, requests)
		for id, trace := range traces {
			client, _ := parents.LoadAndDelete(id)
			text, _ := client.(string)
			requireJoined(t, trace, text)
			spans += len(trace)
			require.Len(t, named(trace, "test.Entrypoint/Call"), 1)
			for _, node := range []string{"a", "b"} {
				process, send := named(trace, "process "+node), "send "+node
				require.Len(t, process, 1)
				require.Equal(t, "v1-"+node, process[0].service)
				if sequence {
					send = "send flow"
				}
				require.Equal(t, named(trace, send)[0].id, process[0].parent)
				require.Equal(t, "v1-entrypoint", named(trace, send)[0].service)
			}
		}
		parents.Range(func(id, _ any) bool {
			t.Errorf("trace %s did not come", id)
			return true
		})
	})
}

func TestARetryIsASpanOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, v *version, c *collector, sequence bool) {
		v.refusals.Store(2)
		require.NoError(t, v.call(t.Context(), "x"))
		v.stop()
		traces := c.traces()
		require.Len(t, traces, 1)
		for _, trace := range traces {
			requireJoined(t, trace, "")
			if sequence { // Knative's channel tries again
				require.Len(t, named(trace, "send flow"), 1)
				continue
			}
			sends := named(trace, "send a")
			require.Len(t, sends, 3)
			for _, failed := range sends[:2] {
				require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, failed.Status.GetCode())
				require.Equal(t, "responded with HTTP 503: not yet", failed.Status.GetMessage())
			}
			require.Nil(t, sends[2].Status)
			require.Equal(t, sends[2].id, named(trace, "process a")[0].parent)
		}
	})
}

func TestAnErrorMarksItsSpan(t *testing.T) {
	each(t, func(t *testing.T, v *version, c *collector, _ bool) {
		require.Equal(t, codes.Internal, status.Code(v.call(t.Context(), wantsError)))
		v.stop()
		for _, trace := range c.traces() {
			requireJoined(t, trace, "")
			process := named(trace, "process a")[0]
			require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, process.Status.GetCode())
			require.Contains(t, process.Status.GetMessage(), `the model is "missing"`)
			require.Equal(t, "exception", process.Events[1].Name)
			require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, named(trace, "test.Entrypoint/Call")[0].Status.GetCode())
			require.Empty(t, named(trace, "process b"))
		}
		require.Len(t, c.traces(), 1)
	})
}

// TestWorkBehindAReplyIsOfTheSameTrace: with one span for the request.
func TestWorkBehindAReplyIsOfTheSameTrace(t *testing.T) {
	each(t, func(t *testing.T, v *version, c *collector, _ bool) {
		require.NoError(t, v.call(t.Context(), wantsEarly))
		v.worked <- struct{}{}
		v.stop()
		require.Len(t, c.traces(), 1)
		for _, trace := range c.traces() {
			requireJoined(t, trace, "")
			require.Len(t, named(trace, "process a"), 1)
			require.Len(t, named(trace, "process b"), 1)
		}
	})
}

// TestWithoutACollectorRequestsGoOn: one that is gone, refuses, or hangs.
func TestWithoutACollectorRequestsGoOn(t *testing.T) {
	over := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer hangs.Close()
	defer close(over)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
	}))
	defer refuses.Close()
	for name, address := range map[string]string{"gone": "http://127.0.0.1:1", "refuses": refuses.URL, "hangs": hangs.URL} {
		for _, protocol := range []telemetry.Protocol{telemetry.GRPC, telemetry.HTTP} {
			t.Run(fmt.Sprint(name, ", ", protocol), func(t *testing.T) {
				t.Setenv(telemetry.EnvEndpoint, address)
				t.Setenv(telemetry.EnvProtocol, string(protocol))
				v := start(t, false)
				const requests = 100
				for range requests {
					require.NoError(t, v.call(t.Context(), "x"))
				}
				require.Contains(t, v.scrape(), "krt_spans_exported_total 0\n")
				v.recorder.Close(10 * time.Millisecond)
				require.Contains(t, v.scrape(), fmt.Sprintf("krt_spans_dropped_total{reason=\"export_failed\"} %d\n", 5*requests))
				v.recorder = nil
			})
		}
	}
}

func TestExportedSpansAreCounted(t *testing.T) {
	receive(t, telemetry.GRPC)
	v := start(t, false)
	require.NoError(t, v.call(t.Context(), "x"))
	v.recorder.Close(time.Minute)
	text := v.scrape()
	require.Contains(t, text, "krt_spans_exported_total 5\n")
	require.Contains(t, text, "krt_spans_dropped_total{reason=\"queue_full\"} 0\n")
	v.recorder = nil
}
