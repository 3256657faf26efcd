package schema_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"krt.dev/kn-krt/pkg/schema"
)

const public = `syntax = "proto3";
package main;
import "google/protobuf/timestamp.proto";

// A request for a price.
message Request { string city = 1; google.protobuf.Timestamp when = 2; }
message Response { double price = 1; }
service Entrypoint {
  rpc MakePrediction (Request) returns (Response) {}
  rpc SaveMetric (Request) returns (Response);
  rpc Watch (Request) returns (stream Response);
  rpc Upload (stream Request) returns (Response);
  rpc Chat (stream Request) returns (stream Response);
}
`

// files makes a bundle of path, text pairs.
func files(pairs ...string) fstest.MapFS {
	bundle := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		bundle[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o644}
	}
	return bundle
}

func compile(t *testing.T, bundle fstest.MapFS) *schema.Schema {
	t.Helper()
	s, err := schema.Compile(t.Context(), bundle, "public.proto", schema.Options{})
	require.NoError(t, err)
	return s
}

func TestCompile(t *testing.T) {
	s := compile(t, files(
		"public.proto", strings.Replace(public, "package main;",
			"package main;\nimport \"shared/unit.proto\";\nimport \"google/protobuf/empty.proto\";", 1),
		"shared/unit.proto", `syntax = "proto3"; package shared; message Unit { string name = 1; }`,
		"other.proto", `not a proto`,
	))
	require.Equal(t, "public.proto", s.Entry().Path())
	var paths []string
	for _, file := range s.Files() {
		paths = append(paths, file.Path())
	}
	require.Equal(t, []string{"shared/unit.proto", "google/protobuf/empty.proto", "google/protobuf/timestamp.proto", "public.proto"}, paths)
	require.Len(t, s.Sources(), 2)
	require.Contains(t, s.Sources(), "shared/unit.proto")
	require.Len(t, s.Methods(), 5)
	require.Equal(t, " A request for a price.\n", s.Entry().SourceLocations().ByDescriptor(s.Entry().Messages().Get(0)).LeadingComments)
}

func TestCompiledTypesWork(t *testing.T) {
	s := compile(t, files("public.proto", public))
	method, err := s.Method("MakePrediction")
	require.NoError(t, err)
	message := dynamicpb.NewMessage(method.Input())
	require.NoError(t, protojson.Unmarshal([]byte(`{"city":"Oslo","when":"2024-01-02T03:04:05Z"}`), message))
	encoded, err := proto.Marshal(message)
	require.NoError(t, err)
	require.Contains(t, string(encoded), "Oslo")
	// The built-in types are the very ones that Go code is linked with.
	require.Same(t, timestamppb.File_google_protobuf_timestamp_proto, s.Files()[0])
}

func TestHTTPAnnotationsAreBuiltIn(t *testing.T) {
	s := compile(t, files("public.proto", `syntax = "proto3"; package p; import "google/api/annotations.proto";
import "google/rpc/status.proto";
		message M { google.rpc.Status status = 1; }
		service S { rpc Do (M) returns (M) { option (google.api.http) = { get: "/do" }; } }`))
	options := s.Methods()[0].Options()
	rule, ok := proto.GetExtension(options, annotations.E_Http).(*annotations.HttpRule)
	require.True(t, ok)
	require.Equal(t, "/do", rule.GetGet())
}

func TestCompileErrors(t *testing.T) {
	head := "syntax = \"proto3\";\n"
	for _, test := range []struct {
		name   string
		bundle fstest.MapFS
		want   []string
	}{
		{"syntax, several", files("public.proto", head+"message A { string x 1; }\nmessage B { int32 = 2; }\n"),
			[]string{"public.proto:2:22: syntax error", "public.proto:3:19: syntax error"}},
		{"unknown types, all", files("public.proto", head+"message A { Foo x = 1;\n  Bar y = 2; }\n"),
			[]string{"public.proto:2:13: field A.x: unknown type Foo", "public.proto:3:3: field A.y: unknown type Bar"}},
		{"missing imports, all", files("public.proto", head+"import \"sharde.proto\";\nimport \"gone/away.proto\";\n", "shared.proto", head),
			[]string{`public.proto:2:8: import "sharde.proto": no such proto in the bundle; did you mean "shared.proto"?`,
				`public.proto:3:8: import "gone/away.proto": no such proto in the bundle; imports are relative to the bundle's root`}},
		{"import relative to the file", files("public.proto", head+"import \"sub/a.proto\";", "sub/a.proto", head+"import \"b.proto\";",
			"sub/b.proto", head),
			[]string{`sub/a.proto:2:8: import "b.proto": no such proto in the bundle; imports are relative to the bundle's root: did you mean ` +
				`"sub/b.proto"?`}},
		{"import outside", files("public.proto", head+"import \"../secret.proto\";\nimport \"/etc/x.proto\";"),
			[]string{`public.proto:2:8: import "../secret.proto": not a path inside the bundle`,
				`public.proto:3:8: import "/etc/x.proto": not a path`}},
		{"error in an import", files("public.proto", head+"import \"b.proto\";", "b.proto", head+"message M { string a = 1; string b = 1; }"),
			[]string{"b.proto:2:38: "}},
		{"import cycle", files("public.proto", head+"import \"b.proto\";", "b.proto", head+"import \"public.proto\";"),
			[]string{`cycle found in imports`}},
		{"imports itself", files("public.proto", head+"import \"public.proto\";"),
			[]string{`public.proto:2:8: cycle found in imports: "public.proto" -> "public.proto"`}},
		{"too deep", files("public.proto", head+strings.Repeat("message A {", 65)),
			[]string{"public.proto:2:715: more than 64 brackets are open at once"}},
		{"same symbol twice", files("public.proto", head+"import \"b.proto\"; message A {}", "b.proto", head+"message A {}"),
			[]string{`symbol "A" already defined`}},
		{"too large", files("public.proto", head+"//"+strings.Repeat("x", 128<<10)),
			[]string{"public.proto: the bundle's protos are larger than 131072 bytes in total"}},
		{"binary", files("public.proto", "\x1f\x8b\x08\x00\x00\xff"), []string{"public.proto:1:1: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := schema.Compile(t.Context(), test.bundle, "public.proto", schema.Options{})
			var errs schema.Errors
			require.ErrorAs(t, err, &errs)
			require.GreaterOrEqual(t, len(errs), len(test.want))
			for i, want := range test.want {
				require.Contains(t, errs[i].Error(), want, "all: %v", errs)
			}
		})
	}
}

func TestCompileTooManyFiles(t *testing.T) {
	bundle := files()
	var imports strings.Builder
	for i := range 40 {
		fmt.Fprintf(&imports, "import \"f%d.proto\";\n", i)
		bundle[fmt.Sprintf("f%d.proto", i)] = &fstest.MapFile{Data: []byte(`syntax = "proto3";`)}
	}
	bundle["public.proto"] = &fstest.MapFile{Data: []byte("syntax = \"proto3\";\n" + imports.String())}
	_, err := schema.Compile(t.Context(), bundle, "public.proto", schema.Options{})
	require.ErrorContains(t, err, "f31.proto: more than 32 protos in the bundle")
	_, err = schema.CompileAll(t.Context(), bundle, schema.Options{Entry: "public.proto"})
	require.ErrorContains(t, err, "more than 32 protos in the bundle")
	_, err = schema.Compile(t.Context(), bundle, "public.proto", schema.Options{MaxFiles: 41})
	require.NoError(t, err)
}

func TestCompileCannotRead(t *testing.T) {
	_, err := schema.Compile(t.Context(), files(), "public.proto", schema.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = schema.Compile(t.Context(), files(), "../public.proto", schema.Options{})
	require.EqualError(t, err, `cannot read proto "../public.proto": not a path inside the bundle`)
	_, err = schema.Compile(t.Context(), files("public.proto/x", ""), "public.proto", schema.Options{})
	require.ErrorContains(t, err, "not a regular file")
}

func TestCompileCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := schema.Compile(ctx, files("public.proto", public), "public.proto", schema.Options{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestCompileAll(t *testing.T) {
	s, err := schema.CompileAll(t.Context(), files(
		"public.proto", public,
		"internal.proto", `syntax = "proto3"; package internal; import "public.proto"; message Features { main.Request request = 1; }`,
		"src/etl/public.proto", public, // a copy, as bundles keep them
		".venv/lib/bad.proto", "bad",
		"env/pyvenv.cfg", "", "env/lib/bad.proto", "bad",
	), schema.Options{})
	require.NoError(t, err)
	require.Nil(t, s.Entry())
	require.Empty(t, s.Methods())
	require.Len(t, s.Sources(), 2)
	require.Equal(t, "public.proto", s.Files()[1].Path())
}

// What is needed is compiled, whatever else lies in the folder.
func TestCompileAllLeavesOutWhatDoesNotCompile(t *testing.T) {
	s, err := schema.CompileAll(t.Context(), files(
		"protos/public.proto", public,
		"._public.proto", "\x00\x05\x16\x07",
		"public.proto", strings.Replace(public, "Request", "OldRequest", 1), // an older one: clashes
		"test/broken.proto", `syntax = "proto3"; message {`,
		"third_party/api/foo/a.proto", `syntax = "proto3"; import "foo/b.proto"; message A { B b = 1; }`,
		"third_party/api/foo/b.proto", `syntax = "proto3"; message B { string x = 1; }`,
		"internal.proto", `syntax = "proto3"; package internal; import "protos/public.proto"; message Features { main.Request request = 1; }`,
	), schema.Options{Entry: "protos/public.proto"})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"protos/public.proto", "internal.proto", "third_party/api/foo/b.proto"},
		slices.Collect(maps.Keys(s.Sources())))
	var left []string
	for _, e := range s.LeftOut() {
		left = append(left, e.File)
	}
	require.Equal(t, []string{"public.proto", "test/broken.proto", "third_party/api/foo/a.proto"}, left)
}

func TestCompileAllBoundsWhatItTries(t *testing.T) {
	bundle := fstest.MapFS{"public.proto": {Data: []byte(public)}}
	for i := range 100 {
		bundle[fmt.Sprintf("vendored/%d.proto", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, `syntax = "proto3"; message M%d {}`, i)}
	}
	s, err := schema.CompileAll(t.Context(), bundle, schema.Options{Entry: "public.proto"})
	require.NoError(t, err)
	require.Len(t, s.Sources(), 32)
	require.Len(t, s.LeftOut(), 33)
	require.Contains(t, s.LeftOut()[32].Text, "it and 36 more protos are ignored")
}

func TestCompileAllNeedsItsEntry(t *testing.T) {
	_, err := schema.CompileAll(t.Context(), files("public.proto", "message {"), schema.Options{Entry: "public.proto"})
	require.ErrorContains(t, err, "public.proto:1:")
}

func TestMethod(t *testing.T) {
	s := compile(t, files("public.proto", public+"service Second { rpc SaveMetric (Request) returns (Response); }\n"))
	for _, test := range []struct{ name, want, err string }{
		{"MakePrediction", "main.Entrypoint.MakePrediction", ""},
		{"Entrypoint.MakePrediction", "main.Entrypoint.MakePrediction", ""},
		{"main.Entrypoint.MakePrediction", "main.Entrypoint.MakePrediction", ""},
		{"Second.SaveMetric", "main.Second.SaveMetric", ""},
		{"SaveMetric", "", `rpc "SaveMetric" is ambiguous: it may be main.Entrypoint.SaveMetric or main.Second.SaveMetric; write the full name`},
		{"MakePredicton", "", `rpc "MakePredicton" is not in public.proto; did you mean "MakePrediction"?`},
		{"Zzz", "", `rpc "Zzz" is not in public.proto, which has MakePrediction, SaveMetric, Watch, Upload, Chat, …`},
		{"Watch", "main.Entrypoint.Watch", ""},
		{"Entrypoint.Upload", "",
			`rpc "main.Entrypoint.Upload" is client-streaming: one request starts a workflow; ` +
				"put the parts into a repeated field, or call a unary rpc for each"},
		{"main.Entrypoint.Chat", "",
			`rpc "main.Entrypoint.Chat" is a bidirectional stream: one request starts a workflow; ` +
				"put the parts into a repeated field, or call a unary rpc for each"},
		{"", "", `rpc "" is not in public.proto, which has`},
	} {
		t.Run(test.name, func(t *testing.T) {
			method, err := s.Method(test.name)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, string(method.FullName()))
		})
	}
}

func TestMethodWithoutAny(t *testing.T) {
	s := compile(t, files("public.proto", `syntax = "proto3";`))
	_, err := s.Method("Do")
	require.EqualError(t, err, `rpc "Do" is not in public.proto, which has no rpcs`)
}
