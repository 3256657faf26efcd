package entrypoint

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
)

// FuzzWeb: whatever is posted to the web port gets a response that is not a panic,
// and only a message of the rpc reaches the node.
func FuzzWeb(f *testing.F) {
	for _, seed := range []struct{ path, contentType, body string }{
		{"/test.Entrypoint/Call", "application/json", `{"text":"x","count":3,"items":[{"name":"a"}],"by":{"k":1.5},"at":"2024-01-01T00:00:00Z"}`},
		{"/test.Entrypoint/Call", "application/json; charset=utf-8", `{"text":`},
		{"/test.Entrypoint/Call", "application/proto", "\x0a\x01x"},
		{"/test.Entrypoint/Call", "application/grpc-web+proto", "\x00\x00\x00\x00\x03\x0a\x01x"},
		{"/test.Entrypoint/Call", "application/connect+json", "\x00\x00\x00\x00\x02{}"},
		{"/workflows/flow", "application/json", `{"any":{"@type":"type.googleapis.com/test.Request","text":"y"}}`},
		{"/workflows/flow", "application/protobuf", "\xff\xff"},
		{"/", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/me","type":"flow","data":{"text":"x"}}`},
		{"/", "application/cloudevents+json", `{"specversion":"1.0","id":"1","source":"/me","type":"flow","data_base64":"!!"}`},
		{"/", "application/cloudevents-batch+json", `[]`},
		{"/nothing", "text/plain", "x"},
	} {
		f.Add(seed.path, seed.contentType, []byte(seed.body))
	}
	handler := fuzzedWeb(f)
	f.Fuzz(func(t *testing.T, path, contentType string, body []byte) {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n\x00?#%") || strings.ContainsAny(contentType, "\r\n\x00") {
			return // net/http's own parser refuses it before
		}
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
		req.URL.Path = path
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Ce-Specversion", "1.0")
		req.Header.Set("Ce-Id", "1")
		req.Header.Set("Ce-Source", "/fuzz")
		req.Header.Set("Ce-Type", "flow")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, req)
		require.GreaterOrEqual(t, answer.Code, 200)
	})
}

// fuzzedWeb returns the web port of an entrypoint whose only node echoes.
func fuzzedWeb(f testing.TB) http.Handler { return webOf(f, echo) }

// webOf is the web port of an entrypoint with the given node.
func webOf(f testing.TB, handle http.HandlerFunc) http.Handler {
	s, err := schema.Compile(context.Background(), fstest.MapFS{"a.proto": {Data: []byte(`syntax = "proto3";
package test;
import "google/protobuf/any.proto";
import "google/protobuf/timestamp.proto";
message Item { string name = 1; Item more = 2; }
message Request {
  string text = 1; int32 count = 2; repeated Item items = 3; map<string, double> by = 4;
  google.protobuf.Timestamp at = 5; google.protobuf.Any any = 6; oneof kind { bytes raw = 7; bool flag = 8; }
  map<string, Item> named = 9;
}
service Entrypoint { rpc Call(Request) returns (Request); }
`)}}, "a.proto", schema.Options{})
	require.NoError(f, err)
	node := httptest.NewServer(handle)
	f.Cleanup(node.Close)
	e, err := New(Version{
		Namespace: "test", Name: "v1", Schema: s,
		Workflows: []Workflow{{Name: "flow", Method: s.Methods()[0], Steps: []Step{{Node: "a", URL: node.URL}}}},
	}, Options{Logger: slog.New(slog.DiscardHandler), Retry: Retry{Count: -1}, MaxMessageBytes: 64 << 10})
	require.NoError(f, err)
	return e.webHandler()
}

// echo responds to an event with itself.
func echo(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		if strings.HasPrefix(name, "Ce-") || name == "Content-Type" {
			w.Header()[name] = values
		}
	}
	_, _ = io.Copy(w, r.Body)
}
