package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/schema"
)

// annotated is the tests' contract with paths of its own; one of them clashes.
func annotated(t *testing.T) *schema.Schema {
	t.Helper()
	text := strings.NewReplacer(
		`import "shared/item.proto";`, `import "shared/item.proto"; import "google/api/annotations.proto";`,
		`rpc Call(Request) returns (Reply);`, `rpc Call(Request) returns (Reply) {
			option (google.api.http) = { post: "/v1/call" body: "*" additional_bindings { get: "/v1/call/{text}" } };
		}`,
		`rpc Other(Request) returns (Reply);`,
		`rpc Other(Request) returns (Reply) { option (google.api.http) = { post: "/v1/call" body: "*" }; }`,
	).Replace(contract)
	s, err := schema.Compile(t.Context(), fstest.MapFS{
		"public_input.proto": {Data: []byte(text)},
		"shared/item.proto":  {Data: []byte("syntax = \"proto3\";\npackage shared;\nmessage Item { string name = 1; }\n")},
	}, "public_input.proto", schema.Options{})
	require.NoError(t, err)
	return s
}

func TestAnnotatedPathsAreServed(t *testing.T) {
	f := newFixture(t)
	f.schema = annotated(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick()) // although an annotation clashes
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		want               string
	}{
		"post": {http.MethodPost, "/v1/call", `{"text":"hi"}`, []string{"Content-Type", "application/json"}, 200, `"hi>a"`},
		"post of curl -d": {http.MethodPost, "/v1/call", `{"text":"hi"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200,
			`"hi>a"`},
		"get":            {http.MethodGet, "/v1/call/hi", "", nil, 200, `"hi>a"`},
		"the rpc's path": {http.MethodPost, "/test.Entrypoint/Call", `{"text":"hi"}`, nil, 200, `"hi>a"`},
		"a wrong field":  {http.MethodPost, "/v1/call", `{"txet":"hi"}`, []string{"Content-Type", "application/json"}, 400, "txet"},
		"another site's": {http.MethodPost, "/v1/call", `{"text":"hi"}`, []string{"Origin", page}, 403, "another origin"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(c.method, f.web+c.path, c.body, c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, c.want)
		})
	}
}

// TestAnotherSitesPageRunsNothingByGET: an annotated GET runs a workflow like any call.
func TestAnotherSitesPageRunsNothingByGET(t *testing.T) {
	f := newFixture(t)
	f.schema = annotated(t)
	o := quick()
	o.WebOrigins = []string{page}
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	const evil = "https://evil.example.com"
	for name, c := range map[string]struct {
		path    string
		headers []string
		status  int
		want    string
	}{
		"another origin":   {"/v1/call/hi", []string{"Origin", evil}, 403, evil},
		"a sandbox":        {"/v1/call/hi", []string{"Origin", "null"}, 403, "--web-origin"},
		"an image":         {"/v1/call/hi", []string{"Sec-Fetch-Site", "cross-site"}, 403, "another origin (Sec-Fetch-Site: cross-site), which"},
		"a sibling's":      {"/v1/call/hi", []string{"Sec-Fetch-Site", "same-site"}, 403, "web-origins"},
		"Connect's GET":    {"/test.Entrypoint/Call?encoding=json&message=%7B%7D", []string{"Origin", evil}, 403, evil},
		"an allowed one":   {"/v1/call/hi", []string{"Origin", page, "Sec-Fetch-Site", "cross-site"}, 200, "hi>a"},
		"its own":          {"/v1/call/hi", []string{"Sec-Fetch-Site", "same-origin"}, 200, "hi>a"},
		"the address bar":  {"/v1/call/hi", []string{"Sec-Fetch-Site", "none"}, 200, "hi>a"},
		"a link to a page": {"/", []string{"Sec-Fetch-Site", "cross-site"}, 200, ""},
		"the protos":       {"/proto/", []string{"Sec-Fetch-Site", "cross-site"}, 200, "public_input.proto"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(http.MethodGet, f.web+c.path, "", c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, c.want)
		})
	}
	asked := f.request(http.MethodOptions, f.web+"/v1/call/hi", "", "Origin", evil, "Access-Control-Request-Method", "GET")
	require.Equal(t, 403, asked.status, asked.body)
	require.Contains(t, asked.body, "--web-origin")
}

// TestErrorsOfAnnotatedPathsAreWhole: with their details, whose types the contract
// does not know.
func TestErrorsOfAnnotatedPathsAreWhole(t *testing.T) {
	f := newFixture(t)
	f.schema = annotated(t)
	o := quick()
	o.Retry.Count = -1
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		failure := event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "error in 'a': no such room", Node: "a",
			Workflow: "flow"}
		if f.textOf(in.Data) == "odd" {
			s := failure.Status()
			s.Details = append(s.Details, &anypb.Any{TypeUrl: "type.googleapis.com/not.Known", Value: []byte{1}})
			data, err := proto.Marshal(s)
			require.NoError(t, err)
			return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeError, "google.rpc.Status", data)
		}
		return http.StatusOK, in.Fail("/krt/test/v1/a", failure)
	})), o)
	for _, path := range []string{"/v1/call/hi", "/v1/call/odd"} {
		got := f.request(http.MethodGet, f.web+path, "")
		require.Equal(t, 500, got.status, got.body)
		require.JSONEq(t, `{"code": 13, "message": "error in 'a': no such room", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
			"reason": "HANDLER_ERROR", "domain": "krt.dev", "metadata": {"node": "a", "workflow": "flow"}}]}`, got.body)
	}
}
