package rest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/rest"
)

// compile compiles a contract whose rpcs have the given annotations.
func compile(t *testing.T, rules ...string) *schema.Schema {
	t.Helper()
	var b strings.Builder
	b.WriteString("syntax = \"proto3\";\npackage kit;\nimport \"google/api/annotations.proto\";\n" +
		"message Req { string code = 1; }\nmessage Res { string text = 1; }\nservice Entrypoint {\n")
	for i, rule := range rules {
		option := ""
		if rule != "" {
			option = "option (google.api.http) = { " + rule + " };"
		}
		fmt.Fprintf(&b, "rpc Rpc%d(Req) returns (Res) { %s }\n", i, option)
	}
	b.WriteString("}\n")
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(b.String())}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	return s
}

func TestAnnotationsThatCannotBeServedAreNamed(t *testing.T) {
	const do = `post: "/v1/do" body: "*"`
	for name, c := range map[string]struct {
		rules []string
		want  []string
	}{
		"none":      {[]string{"", ""}, nil},
		"two paths": {[]string{do + ` additional_bindings { get: "/v1/do/{code}" }`, `get: "/v1/two"`}, nil},
		"one path": {[]string{do, do, `get: "/v1/ok"`},
			[]string{"Rpc1: target for /v1/do, method POST already exists: kit.Entrypoint.Rpc0"}},
		"an unknown field": {[]string{`get: "/v1/{nope}"`, do}, []string{"Rpc0: "}},
		"an unknown body":  {[]string{`post: "/v1/do" body: "nope"`}, []string{"Rpc0: "}},
		"without a root":   {[]string{`get: "v1/do"`, do}, []string{"Rpc0: "}},
		"our own": {[]string{`post: "/workflows/mine" body: "*"`, `get: "/"`, `get: "/_krt/x"`, do},
			[]string{`Rpc0: the path "/workflows/mine" is the entrypoint's own`, `Rpc1: the path "/"`, `Rpc2: the path "/_krt/x"`}},
		"all are wrong": {[]string{`get: "a"`, `get: "b"`}, []string{"Rpc0: ", "Rpc1: "}},
	} {
		t.Run(name, func(t *testing.T) {
			services, problems := rest.Services(compile(t, c.rules...).Entry())
			require.Len(t, services, 1)
			require.Equal(t, len(c.rules), services[0].Methods().Len())
			require.Len(t, problems, len(c.want))
			for i, p := range problems {
				text := fmt.Sprintf("%s: %s", p.Method.Name(), p.Text)
				require.True(t, strings.HasPrefix(text, c.want[i]), text)
				require.NotContains(t, text, "failed to")
			}
		})
	}
}

func TestStreamsHaveNoPathsOfTheirOwn(t *testing.T) {
	s, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(`syntax = "proto3"; package kit;
		import "google/api/annotations.proto"; message M {}
		service Entrypoint { rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/v1/watch" }; } }`)}},
		"p.proto", schema.Options{})
	require.NoError(t, err)
	services, problems := rest.Services(s.Entry())
	require.Len(t, services, 1)
	require.Len(t, problems, 1)
	require.Equal(t, "it returns a stream, for which clients use POST /kit.Entrypoint/Watch", problems[0].Text)
}

func TestAnnotatedRpcsAreBounded(t *testing.T) {
	rules := make([]string, 300)
	for i := range rules {
		rules[i] = fmt.Sprintf(`get: "/v1/%d"`, i)
	}
	_, problems := rest.Services(compile(t, rules...).Entry())
	require.Len(t, problems, 300-256)
}
