package entrypoint

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// twoFlows is an entrypoint with a unary workflow and a streaming one, whose node is handle.
func twoFlows(t testing.TB, handle http.HandlerFunc, o Options) *Entrypoint {
	t.Helper()
	s, err := schema.Compile(context.Background(), fstest.MapFS{"a.proto": {Data: []byte(`syntax = "proto3";
package test;
import "google/api/annotations.proto";
message Item { string name = 1; }
message Request { string text = 1; repeated Item items = 2; map<string, double> by = 3; }
service Entrypoint {
  rpc Call(Request) returns (Request) { option (google.api.http) = { post: "/v1/call" body: "*" }; }
  rpc Tell(Request) returns (stream Request);
}
`)}}, "a.proto", schema.Options{})
	require.NoError(t, err)
	node := httptest.NewServer(handle)
	t.Cleanup(node.Close)
	v := Version{Namespace: "test", Name: "v1", Schema: s}
	for i, name := range []string{"flow", "tell"} {
		v.Workflows = append(v.Workflows, Workflow{Name: name, Method: s.Methods()[i], Steps: []Step{{Node: "a", URL: node.URL}}})
	}
	o.Logger, o.Retry = slog.New(slog.DiscardHandler), Retry{Count: -1}
	e, err := New(v, o)
	require.NoError(t, err)
	return e
}

// sent is a request to the web port and what came of it.
type sent struct {
	method, path, body string
	header             []string // names and values
}

func (s sent) to(t testing.TB, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), s.method, s.path, strings.NewReader(s.body))
	for i := 0; i+1 < len(s.header); i += 2 {
		if s.header[i] == "Host" {
			r.Host = s.header[i+1]
		}
		r.Header.Set(s.header[i], s.header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var (
	asJSON  = []string{"Content-Type", "application/json"}
	asEvent = append([]string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "/test", "Ce-Type", "flow"}, asJSON...)
)

// What is too large stays so, and is 413 with its reason, whichever way it comes: clients repeat 429.
func TestWhatIsTooLargeIsNeverAnOverload(t *testing.T) {
	o := Options{MaxMessageBytes: 80 << 10, MaxBytes: 640 << 10}
	h := twoFlows(t, echo, o).webHandler()
	entries := make([]string, 5_000)
	for i := range entries {
		entries[i] = `"` + strconv.Itoa(100_000+i) + `":1`
	}
	bodies := map[string]string{
		"larger in protobuf":     `{"by":{` + strings.Join(entries, ",") + `}}`,
		"takes too much to read": `{"items":[` + strings.Repeat("{},", 22_000) + `{}]}`,
		"too large as it is":     `{"text":"` + strings.Repeat("x", 80<<10) + `"}`,
	}
	transcoded := append([]string{"Connect-Timeout-Ms", "60000"}, asJSON...)
	for name, body := range bodies {
		require.Equal(t, name == "too large as it is", len(body) > o.MaxMessageBytes)
		for way, s := range map[string]sent{
			"call":       {http.MethodPost, "/test.Entrypoint/Call", body, asJSON},
			"transcoded": {http.MethodPost, "/test.Entrypoint/Call", body, transcoded},
			"stream":     {http.MethodPost, "/test.Entrypoint/Tell", body, asJSON},
			"annotated":  {http.MethodPost, "/v1/call", body, asJSON},
			"event":      {http.MethodPost, "/workflows/flow", body, asEvent},
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				w := s.to(t, h)
				require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, w.Body)
				require.Empty(t, w.Header().Get("Retry-After"))
				requireFailure(t, w, s.path)
			})
		}
	}
}

// requireFailure checks that a response is a failure in the one form that its path has.
func requireFailure(t *testing.T, w *httptest.ResponseRecorder, path string) {
	t.Helper()
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var failure struct {
		Code    any               `json:"code"`
		Message string            `json:"message"`
		Details []json.RawMessage `json:"details"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &failure), "%s", w.Body)
	require.NotEmpty(t, failure.Message)
	if strings.HasPrefix(path, "/test.Entrypoint/") {
		require.IsType(t, "", failure.Code, "a word of Connect: %s", w.Body)
	} else {
		require.IsType(t, 1.0, failure.Code, "a number of google.rpc.Code: %s", w.Body)
	}
}

// Each failure over HTTP is JSON with code, message and details, whoever refuses the request.
func TestFailuresHaveOneForm(t *testing.T) {
	e := twoFlows(t, echo, Options{MaxMessageBytes: 64 << 10})
	h := e.webHandler()
	long := append([]string{"X-Long", strings.Repeat("x", 65<<10)}, asJSON...)
	foreign := append([]string{"Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"}, asJSON...)
	coded := append([]string{"Content-Encoding", "br"}, asJSON...)
	for name, c := range map[string]struct {
		sent
		status int
	}{
		"long header, call":    {sent{http.MethodPost, "/test.Entrypoint/Call", "{}", long}, 431},
		"long header, event":   {sent{http.MethodPost, "/workflows/flow", "{}", long}, 431},
		"foreign page, call":   {sent{http.MethodPost, "/test.Entrypoint/Call", "{}", foreign}, 403},
		"foreign page, event":  {sent{http.MethodPost, "/workflows/flow", "{}", foreign}, 403},
		"method, call":         {sent{http.MethodPut, "/test.Entrypoint/Call", "{}", asJSON}, 405},
		"GET of a call":        {sent{http.MethodGet, "/test.Entrypoint/Call?connect=v1&encoding=json&message=%7B%7D", "", nil}, 405},
		"type, call":           {sent{http.MethodPost, "/test.Entrypoint/Call", "<a/>", []string{"Content-Type", "text/xml"}}, 415},
		"coding, call":         {sent{http.MethodPost, "/test.Entrypoint/Call", "{}", coded}, 0},
		"coding, stream":       {sent{http.MethodPost, "/test.Entrypoint/Tell", "{}", coded}, 0},
		"timeout, call":        {sent{http.MethodPost, "/test.Entrypoint/Call", "{}", append([]string{"Request-Timeout", "x"}, asJSON...)}, 400},
		"timeout, annotated":   {sent{http.MethodPost, "/v1/call", "{}", append([]string{"Request-Timeout", "x"}, asJSON...)}, 400},
		"field, call":          {sent{http.MethodPost, "/test.Entrypoint/Call", `{"txt":1}`, asJSON}, 400},
		"field, annotated":     {sent{http.MethodPost, "/v1/call", `{"txt":1}`, asJSON}, 400},
		"field, event":         {sent{http.MethodPost, "/workflows/flow", `{"txt":1}`, asEvent}, 400},
		"no such rpc":          {sent{http.MethodPost, "/test.Entrypoint/Other", "{}", asJSON}, 404},
		"no such path":         {sent{http.MethodPost, "/other", "{}", asJSON}, 404},
		"no such proto":        {sent{http.MethodGet, "/proto/other.proto", "", nil}, 404},
		"no such workflow":     {sent{http.MethodPost, "/workflows/other", "{}", asEvent}, 404},
		"no such result":       {sent{http.MethodGet, "/workflows/flow/results/x", "", nil}, 404},
		"method of a workflow": {sent{http.MethodDelete, "/workflows/flow", "", nil}, 404},
		"lines over HTTP/1.0":  {sent{http.MethodPost, "/test.Entrypoint/Tell", "{}", asJSON}, 505},
	} {
		t.Run(name, func(t *testing.T) {
			handler := h
			if c.status == http.StatusHTTPVersionNotSupported {
				handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.Proto, r.ProtoMinor = "HTTP/1.0", 0
					h.ServeHTTP(w, r)
				})
			}
			w := c.to(t, handler)
			if c.status > 0 {
				require.Equal(t, c.status, w.Code, w.Body)
			}
			require.GreaterOrEqual(t, w.Code, 400)
			requireFailure(t, w, c.path)
		})
	}
	e.table.Load().release() // as at its end
	for _, path := range []string{"/test.Entrypoint/Call", "/workflows/flow"} {
		w := sent{http.MethodPost, path, "{}", asJSON}.to(t, h)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, w.Body)
		require.Contains(t, w.Body.String(), "the version is stopping")
		requireFailure(t, w, path)
	}
}

// Who posts plain JSON to a workflow's path learns both ways to go on, and whoever names no workflow that.
func TestPlainJSONIsNoEvent(t *testing.T) {
	h := twoFlows(t, echo, Options{}).webHandler()
	w := sent{http.MethodPost, "/workflows/flow", `{"text":"x"}`, asJSON}.to(t, h)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "POST plain JSON to /test.Entrypoint/Call, or send an event: with the headers ce-specversion: 1.0")
	w = sent{http.MethodPost, "/workflows/flwo", `{"text":"x"}`, asJSON}.to(t, h)
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Contains(t, w.Body.String(), `has no workflow \"flwo\"`)
}

// panics is a body that a decoder panics over.
type panics struct{}

func (panics) Read([]byte) (int, error) { panic("of a decoder") }

// A request whose decoding panics gives its place back, or a few of them would leave none to others.
func TestAPanicGivesThePlaceBack(t *testing.T) {
	e := twoFlows(t, echo, Options{})
	h := e.webHandler()
	for path, header := range map[string][]string{
		"/test.Entrypoint/Call": asJSON, "/test.Entrypoint/Tell": asJSON, "/workflows/flow": asEvent,
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, io.NopCloser(panics{}))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		require.Panics(t, func() { h.ServeHTTP(httptest.NewRecorder(), r) }, path)
		require.Zero(t, e.inFlight.Load(), path)
	}
	w := sent{http.MethodPost, "/test.Entrypoint/Call", "{}", asJSON}.to(t, h)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Eventually(t, func() bool { return e.inFlight.Load() == 0 }, time.Minute, time.Millisecond)
}

// A response for a replica whose address somebody else has now is not sent there again and again: its client has gone with
// it. What else goes wrong is the sender's to repeat.
func TestAResponseForAnAddressOfOthersIsDropped(t *testing.T) {
	var status atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer other.Close()
	key := make([]byte, seal.KeyBytes)
	e := twoFlows(t, echo, Options{Key: key, Advertise: "127.0.0.1:1"})
	held, err := seal.New(key, "v1", strings.TrimPrefix(other.URL, "http://"))
	require.NoError(t, err)
	id, token := held.Seal(time.Now().Add(time.Minute))
	p := &delivery.Parcel{Data: mem.SliceBuffer("x"), Event: &event.Event{
		ID: "1", Source: "/krt/test/v1/a", Type: event.TypeReply, CorrelationID: id.String(), ReplyToken: token,
	}}
	status.Store(http.StatusMisdirectedRequest)
	require.NoError(t, home{e}.Respond(t.Context(), p))
	status.Store(http.StatusServiceUnavailable)
	require.ErrorContains(t, home{e}.Respond(t.Context(), p), "cannot forward it")
}
