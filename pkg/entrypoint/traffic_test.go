package entrypoint_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
)

// volume is a folder with the file as a kubelet writes it: through a link that is replaced.
type volume struct {
	t      *testing.T
	folder string
	n      int
}

func newVolume(t *testing.T) *volume { return &volume{t: t, folder: t.TempDir()} }

func (v *volume) write(c *traffic.Canary) {
	v.t.Helper()
	text, err := json.Marshal(traffic.Config{Canary: c})
	require.NoError(v.t, err)
	v.n++
	data := fmt.Sprintf("..data_%d", v.n)
	require.NoError(v.t, os.Mkdir(filepath.Join(v.folder, data), 0o755))
	require.NoError(v.t, os.WriteFile(filepath.Join(v.folder, data, traffic.File), text, 0o600))
	require.NoError(v.t, os.Symlink(data, filepath.Join(v.folder, "..data_tmp")))
	require.NoError(v.t, os.Rename(filepath.Join(v.folder, "..data_tmp"), filepath.Join(v.folder, "..data")))
	if v.n == 1 {
		require.NoError(v.t, os.Symlink(filepath.Join("..data", traffic.File), filepath.Join(v.folder, traffic.File)))
	}
}

// canary returns a fixture of version v2, whose node is h, or one that adds its name.
func canary(t *testing.T, h handle) *fixture {
	f := newFixture(t)
	f.schema = annotated(t)
	if h == nil {
		h = f.says("canary", true)
	}
	v := f.version(node(t, "canary", h))
	v.Name = "v2"
	return f.serve(v, quick())
}

// gives is what the file says of the canary f.
func (f *fixture) gives(weight int) *traffic.Canary {
	return &traffic.Canary{Version: "v2", GRPC: f.grpc, Web: strings.TrimPrefix(f.web, "http://"), Weight: weight}
}

// published serves version v1, which divides as c says.
func published(t *testing.T, c *traffic.Canary, o entrypoint.Options) *fixture {
	f := newFixture(t)
	f.schema = annotated(t)
	v := newVolume(t)
	v.write(c)
	o.Traffic = v.folder
	return f.serve(f.version(node(t, "published", f.says("published", true))), o)
}

// clients are requests of all protocols, each of which contains the text "hi".
func (f *fixture) clients() map[string][]string {
	message := f.text("test.Request", "hi")
	frame := string(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
	structured := `{"specversion":"1.0","id":"7","source":"/me","type":"flow","data":{"text":"hi"}}`
	return map[string][]string{ // method, path, body, headers
		"JSON":        {"POST", "/test.Entrypoint/Call", `{"text":"hi"}`, "Content-Type", "application/json"},
		"curl -d":     {"POST", "/test.Entrypoint/Call", `{"text":"hi"}`, "Content-Type", "application/x-www-form-urlencoded"},
		"REST":        {"POST", "/v1/call", `{"text":"hi"}`, "Content-Type", "application/json"},
		"REST by GET": {"GET", "/v1/call/hi", ""},
		"Connect": {"POST", "/test.Entrypoint/Call", string(message), "Content-Type", "application/proto",
			"Connect-Protocol-Version", "1"},
		"gRPC-Web":         {"POST", "/test.Entrypoint/Call", frame, "Content-Type", "application/grpc-web+proto"},
		"binary event":     append([]string{"POST", "/workflows/flow", `{"text":"hi"}`}, binaryEvent("flow", "application/json")...),
		"structured event": {"POST", "/", structured, "Content-Type", "application/cloudevents+json"},
	}
}

// ask sends one of clients.
func (f *fixture) ask(c []string) reply { return f.request(c[0], f.web+c[1], c[2], c[3:]...) }

// counts requires that the metrics have a line.
func (f *fixture) counts(line string) {
	f.t.Helper()
	require.True(f.t, strings.Contains(f.metrics(), line+"\n"), line)
}

// TestTheCanaryIsSeenAsItself: what a client gets through the published version is what the canary
// gives it directly.
func TestTheCanaryIsSeenAsItself(t *testing.T) {
	to := canary(t, nil)
	f := published(t, to.gives(100), quick())
	for name, c := range f.clients() {
		t.Run(name, func(t *testing.T) {
			want, got := to.ask(c), f.ask(c)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, got.body, "canary")
			require.Equal(t, want.body, got.body)
			for _, varies := range []string{"Date", "Krt-Correlation-Id", "Server-Timing"} {
				require.NotEmpty(t, got.header.Get(varies), varies)
				got.header.Set(varies, want.header.Get(varies))
			}
			want.header.Del("Content-Length") // some bodies are sent in parts
			got.header.Del("Content-Length")
			require.Equal(t, want.header, got.header)
		})
	}
	text, err := f.call(t.Context(), "hi")
	require.NoError(t, err)
	require.Equal(t, "hi>canary", text)
	for _, line := range []string{
		`krt_traffic_requests_total{canary="v2",code="OK",side="canary"} 9`,
		`krt_traffic_request_seconds_count{canary="v2",side="canary"} 9`,
		`krt_traffic_requests_total{canary="v2",code="OK",side="published"} 0`,
		`krt_traffic_fallbacks_total{canary="v2"} 0`,
		`krt_requests_total{code="OK",workflow="flow"} 0`,
	} {
		f.counts(line)
	}
	require.NotContains(t, to.metrics(), "krt_traffic_requests_total{")
}

func TestAnAsynchronousEventIsForwarded(t *testing.T) {
	to := canary(t, nil)
	f := published(t, to.gives(100), quick())
	got := f.async()
	require.Equal(t, http.StatusAccepted, got.status, got.body)
	require.Equal(t, "respond-async", got.header.Get("Preference-Applied"))
	require.Eventually(t, func() bool {
		return strings.Contains(to.metrics(), `krt_requests_total{code="OK",workflow="flow"} 1`)
	}, time.Minute, time.Millisecond)
}

func TestMetadataPassesBothWays(t *testing.T) {
	seen := make(chan *event.Event, 1)
	to := newFixture(t)
	to = canary(t, func(_ context.Context, in *event.Event) (int, *event.Event) {
		seen <- in
		return http.StatusOK, in.Next("/krt/test/v2/canary", event.TypeMessage, "test.Reply", to.text("test.Reply", "ok"))
	})
	f := published(t, to.gives(100), quick())
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	begin := time.Now()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", parent, "krt-trace", "1", "krt-inspect", "1", "token-bin", "\x00\xff")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // without it, it would be 20 s
	defer cancel()
	var header, trailer metadata.MD
	in, out := f.message("test.Request"), f.message("test.Reply")
	require.NoError(t, f.conn.Invoke(ctx, "/test.Entrypoint/Call", in, out, grpc.Header(&header), grpc.Trailer(&trailer),
		grpc.UseCompressor(gzip.Name)))
	came := <-seen
	require.Equal(t, parent, came.Trace.Parent)
	require.WithinRange(t, came.Deadline, begin, begin.Add(18*time.Second))
	require.Equal(t, []string{came.CorrelationID}, header["krt-correlation-id"])
	require.Equal(t, []string{came.CorrelationID}, trailer["krt-correlation-id"])
	require.Len(t, trailer["krt-steps"], 1)
	require.NotContains(t, trailer, "krt-forwarded")
}

func TestAFailureOfTheCanaryIsWhole(t *testing.T) {
	to := canary(t, func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Fail("/krt/test/v2/canary", event.Failure{
			Code: code.Code_FAILED_PRECONDITION, Reason: event.ReasonHandlerError, Text: "error in 'canary': no",
		})
	})
	f := published(t, to.gives(100), quick())
	_, want := to.call(t.Context(), "hi")
	_, got := f.call(t.Context(), "hi")
	require.Equal(t, codes.FailedPrecondition, status.Code(got))
	require.Equal(t, status.Convert(want).Proto().String(), status.Convert(got).Proto().String())
	for name, c := range f.clients() {
		require.Equal(t, to.ask(c).body, f.ask(c).body, name)
		require.Equal(t, to.ask(c).status, f.ask(c).status, name)
	}
	f.counts(`krt_traffic_requests_total{canary="v2",code="FAILED_PRECONDITION",side="canary"} 17`)
}

// TestARefusalIsThePublishedVersions: what the canary refuses before it works on it, the published
// version refuses in its own words.
func TestARefusalIsThePublishedVersions(t *testing.T) {
	to := canary(t, nil)
	plain := published(t, nil, quick())
	f := published(t, to.gives(100), quick())
	for name, c := range map[string][]string{
		"unknown path":     {"POST", "/nothing/Here", "{}", "Content-Type", "application/json"},
		"unknown workflow": append([]string{"POST", "/workflows/nope", "{}"}, binaryEvent("flow", "application/json")...),
		"wrong JSON":       {"POST", "/test.Entrypoint/Call", `{"text":`, "Content-Type", "application/json"},
		"wrong protobuf":   append([]string{"POST", "/workflows/flow", "\xff\xff"}, binaryEvent("flow", "application/protobuf")...),
		"wrong gRPC-Web": {"POST", "/test.Entrypoint/Call", "\x01\x00\x00\x00\x01x", "Content-Type", "application/grpc-web+proto",
			"Grpc-Encoding", "gzip"},
		"too large":       {"POST", "/test.Entrypoint/Call", strings.Repeat("x", 5<<20), "Content-Type", "application/json"},
		"too large event": append([]string{"POST", "/workflows/flow", strings.Repeat("x", 9<<20)}, binaryEvent("flow", "text/plain")...),
		"another method":  {"PUT", "/test.Entrypoint/Call", "{}", "Content-Type", "application/json"},
		"another type":    {"POST", "/test.Entrypoint/Call", "a,b", "Content-Type", "text/csv"},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := plain.ask(c), f.ask(c)
			require.Equal(t, want.status, got.status, got.body)
			require.Equal(t, want.body, got.body)
			want.header.Set("Date", got.header.Get("Date"))
			require.Equal(t, want.header, got.header)
		})
	}
	for name, method := range map[string]string{"untied": "/test.Entrypoint/Untied", "unknown": "/test.Entrypoint/Nope"} {
		in, out := f.message("test.Request"), f.message("test.Reply")
		want, got := plain.conn.Invoke(t.Context(), method, in, out), f.conn.Invoke(t.Context(), method, in, out)
		require.Equal(t, status.Convert(want).Proto().String(), status.Convert(got).Proto().String(), name)
	}
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 0`)
}

func TestARequestIsForwardedOnce(t *testing.T) {
	to := canary(t, nil)
	f := published(t, to.gives(100), quick())
	text, err := f.call(metadata.AppendToOutgoingContext(t.Context(), traffic.Metadata, "1"), "hi")
	require.NoError(t, err)
	require.Equal(t, "hi>published", text)
	for name, c := range f.clients() {
		require.Contains(t, f.ask(append(c, traffic.Metadata, "1")).body, "published", name)
	}
}

func TestMatchForwardsWhateverTheWeight(t *testing.T) {
	to := canary(t, nil)
	c := to.gives(0)
	c.Match = []traffic.Match{{Metadata: "x-krt-version", Value: "v2"}}
	f := published(t, c, quick())
	for value, want := range map[string]string{"v2": "hi>canary", "v1": "hi>published"} {
		text, err := f.call(metadata.AppendToOutgoingContext(t.Context(), "x-krt-version", value), "hi")
		require.NoError(t, err)
		require.Equal(t, want, text)
		for name, c := range f.clients() {
			require.Contains(t, f.ask(append(c, "X-Krt-Version", value)).body, want[3:], name)
		}
	}
}
