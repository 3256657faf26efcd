package entrypoint_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

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
		`rpc Other(Request) returns (Reply);`, `rpc Other(Request) returns (Reply) { option (google.api.http) = { post: "/v1/call" body: "*" }; }`,
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
		"post":            {http.MethodPost, "/v1/call", `{"text":"hi"}`, []string{"Content-Type", "application/json"}, 200, `"hi>a"`},
		"post of curl -d": {http.MethodPost, "/v1/call", `{"text":"hi"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, `"hi>a"`},
		"get":             {http.MethodGet, "/v1/call/hi", "", nil, 200, `"hi>a"`},
		"the rpc's path":  {http.MethodPost, "/test.Entrypoint/Call", `{"text":"hi"}`, nil, 200, `"hi>a"`},
		"a wrong field":   {http.MethodPost, "/v1/call", `{"txet":"hi"}`, []string{"Content-Type", "application/json"}, 400, "txet"},
		"another site's":  {http.MethodPost, "/v1/call", `{"text":"hi"}`, []string{"Origin", page}, 403, "another origin"},
	} {
		t.Run(name, func(t *testing.T) {
			got := f.request(c.method, f.web+c.path, c.body, c.headers...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, c.want)
		})
	}
}
