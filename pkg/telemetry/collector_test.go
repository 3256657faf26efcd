package telemetry_test

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"krt.dev/kn-krt/pkg/telemetry"
)

// collector is an OTLP receiver, by gRPC and HTTP.
type collector struct {
	coltracepb.UnimplementedTraceServiceServer
	mu  sync.Mutex
	all []*tracepb.ResourceSpans

	partial *coltracepb.ExportTracePartialSuccess // what it responds with; set before the first request
}

// Export implements OTLP's service.
func (c *collector) Export(_ context.Context, in *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, in.ResourceSpans...)
	return &coltracepb.ExportTraceServiceResponse{PartialSuccess: c.partial}, nil
}

// ServeHTTP is the same by HTTP.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	in := &coltracepb.ExportTraceServiceRequest{}
	if err == nil {
		err = proto.Unmarshal(body, in)
	}
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not an export of traces", http.StatusBadRequest)
		return
	}
	out, _ := c.Export(r.Context(), in)
	body, _ = proto.Marshal(out)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(body)
}

// receive starts a collector and makes it that of the environment.
func receive(t *testing.T, protocol telemetry.Protocol) *collector {
	t.Helper()
	c := &collector{}
	var address string
	if protocol == telemetry.HTTP {
		s := httptest.NewServer(c)
		t.Cleanup(s.Close)
		address = s.URL
	} else {
		l := listen(t)
		s := grpc.NewServer()
		coltracepb.RegisterTraceServiceServer(s, c)
		go func() { _ = s.Serve(l) }() // it ends with Stop
		t.Cleanup(s.Stop)
		address = "http://" + l.Addr().String()
	}
	t.Setenv(telemetry.EnvEndpoint, address)
	t.Setenv(telemetry.EnvProtocol, string(protocol))
	return c
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// span is a span with the name of its service, and ids as they are read.
type span struct {
	*tracepb.Span
	service, id, parent string
}

// traces are all spans that have come, by their trace.
func (c *collector) traces() map[string][]span {
	c.mu.Lock()
	defer c.mu.Unlock()
	traces := map[string][]span{}
	for _, resource := range c.all {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, s := range resource.ScopeSpans[0].Spans {
			trace := hex.EncodeToString(s.TraceId)
			traces[trace] = append(traces[trace], span{s, service, hex.EncodeToString(s.SpanId), hex.EncodeToString(s.ParentSpanId)})
		}
	}
	return traces
}

// named returns the spans of the given name.
func named(spans []span, name string) (all []span) {
	for _, s := range spans {
		if s.Name == name {
			all = append(all, s)
		}
	}
	return all
}

// requireJoined requires that all spans are below the one of the request, whose parent is
// the given one, by parents that are in the trace.
func requireJoined(t *testing.T, spans []span, client string) {
	t.Helper()
	ids := map[string]bool{}
	roots := 0
	for _, s := range spans {
		require.False(t, ids[s.id], "%s: a span of that id is there already", s.Name)
		ids[s.id] = true
		if s.Kind == tracepb.Span_SPAN_KIND_SERVER {
			require.Equal(t, client, s.parent)
			roots++
		}
	}
	require.Equal(t, 1, roots, "SERVER spans")
	for _, s := range spans {
		require.True(t, s.Kind == tracepb.Span_SPAN_KIND_SERVER || ids[s.parent], "%s: its parent %s is missing", s.Name, s.parent)
	}
}
