// Package docs runs what the documentation shows as code, where nothing else does.
package docs_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// startSpan starts a span of the node's own, as a child of the step's span.
func startSpan(ctx *runner.HandlerContext, name string) (context.Context, trace.Span) {
	step := propagation.MapCarrier{"traceparent": ctx.TraceParent()}
	parent := propagation.TraceContext{}.Extract(ctx.Context(), step)
	return otel.Tracer("my-node").Start(parent, name)
}

// TestStartSpanIsTheOneOfTheDocs: docs/how-to/spans.md shows the function above, word for word.
func TestStartSpanIsTheOneOfTheDocs(t *testing.T) {
	source, err := os.ReadFile("spans_test.go")
	require.NoError(t, err)
	_, function, _ := strings.Cut(string(source), "\n// startSpan starts")
	function, _, _ = strings.Cut(function, "\n}\n")
	text, err := os.ReadFile("../../docs/how-to/spans.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "// startSpan starts"+function+"\n}\n```\n")
}

// TestSpansOfANodeAreChildrenOfTheStep: with OpenTelemetry's own SDK in a node.
func TestSpansOfANodeAreChildrenOfTheStep(t *testing.T) {
	const client = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	exporter := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)))
	out := call(t, event.Trace{Parent: client}, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		spanned, span := startSpan(ctx, "load rates")
		defer span.End()
		return wrapperspb.String("done"), spanned.Err()
	})
	step, ok := out.Steps.Last()
	require.True(t, ok, "the node reports its step")
	spans := exporter.GetSpans()
	require.Len(t, spans, 1)
	require.Equal(t, "load rates", spans[0].Name)
	require.Equal(t, trace.SpanID(step.SpanID), spans[0].Parent.SpanID(), "the parent is the span that the step reports")
	require.Equal(t, out.Trace.ID(), spans[0].SpanContext.TraceID().String(), "of the client's trace")
	require.True(t, spans[0].Parent.IsRemote())
	require.Equal(t, client, out.Trace.Parent, "what the next node gets is as it was")
}

// call runs a node with that handler and sends it one event.
func call(t *testing.T, of event.Trace, handler runner.Handler) *event.Event {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() {
		over <- runner.Run(ctx, runner.Options{
			Getenv: func(string) string { return "" }, Listener: listener, Logger: slog.New(slog.DiscardHandler),
		}, nil, handler)
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-over)
	})
	message, data, err := event.Encode(wrapperspb.String("EUR"))
	require.NoError(t, err)
	in := &event.Event{
		ID: "1", Source: event.Source("ns", "v1", "entrypoint"), Type: event.TypeMessage, Message: message, Data: data,
		CorrelationID: "c1", Workflow: "rates", Trace: of, Deadline: time.Now().Add(time.Minute),
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String(), bytes.NewReader(data))
	require.NoError(t, err)
	in.WriteHeader(req.Header)
	of.WriteHeader(req.Header)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	out, err := event.ReadHeader(res.Header)
	require.NoError(t, err)
	return out
}
