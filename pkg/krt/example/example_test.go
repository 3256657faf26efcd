package example_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/example"
	"krt.dev/kn-krt/pkg/schema"
)

func TestIs(t *testing.T) {
	for name, want := range map[string]bool{
		"assets/examples/a.json": true, "assets/examples/a.txt": false, "assets/examples/b/a.json": false,
		"assets/a.json": false, "a.json": false, "assets/examples/../a.json": false, "assets/examples.json": false,
	} {
		require.Equal(t, want, example.Is(name), name)
	}
}

func TestOf(t *testing.T) {
	protos, err := schema.Compile(t.Context(), fstest.MapFS{"p.proto": {Data: []byte(`syntax = "proto3";
message House { string text = 1; }
service Estimator { rpc Predict(House) returns (House); }
`)}}, "p.proto", schema.Options{})
	require.NoError(t, err)
	method, err := protos.Method("Predict")
	require.NoError(t, err)
	made := schema.Example(method.Input())
	largest := `{"text":"` + strings.Repeat("a", example.MaxBytes-len(`{"text":""}`)) + `"}`
	for name, test := range map[string]struct{ text, want string }{
		"in one line":       {"{\n  \"text\": \"a cottage\"\n}\n", `{"text":"a cottage"}`},
		"another message":   {`{"gone": 1}`, made},
		"not JSON":          {`{"text": "a`, made},
		"the largest":       {largest, largest},
		"larger":            {largest + " ", made},
		"nothing":           {"", made},
		"JSON after it":     {`{"text": "a"} {}`, made},
		"quotes stay as is": {`{"text": "it's"}`, `{"text":"it's"}`},
	} {
		t.Run(name, func(t *testing.T) {
			bundle := fstest.MapFS{"assets/examples/price.json": {Data: []byte(test.text)}}
			require.Equal(t, test.want, example.Of(bundle, "price", method.Input()))
			require.Equal(t, made, example.Of(bundle, "other", method.Input()))
		})
	}
	require.Empty(t, example.Read(fstest.MapFS{}, "../price"))
}

func FuzzOf(f *testing.F) {
	protos, err := schema.Compile(f.Context(), fstest.MapFS{"p.proto": {Data: []byte(`syntax = "proto3";
message House { string text = 1; repeated House rooms = 2; map<string, double> m = 3; }
service Estimator { rpc Predict(House) returns (House); }
`)}}, "p.proto", schema.Options{})
	require.NoError(f, err)
	method, err := protos.Method("Predict")
	require.NoError(f, err)
	f.Add([]byte(`{"text": "a", "rooms": [{"m": {"x": 1.5}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := example.Of(fstest.MapFS{"assets/examples/a.json": {Data: text}}, "a", method.Input())
		require.NotEmpty(t, got)
		require.NotContains(t, got, "\n", "it is one line")
		require.LessOrEqual(t, len(got), example.MaxBytes)
	})
}
