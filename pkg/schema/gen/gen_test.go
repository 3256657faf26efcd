package gen_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// bundle has what protos of bundles have: nested messages, enums, maps, oneofs, imports between
// folders, public ones, a service, and an HTTP annotation.
func bundle() map[string]string {
	return map[string]string{
		"public_input.proto": `syntax = "proto3";
package main;
option go_package = "./pb";
import "google/protobuf/timestamp.proto";
import "google/api/annotations.proto";
import "google/rpc/status.proto";
import "shared/more-units.proto";
// A request's comment with 'quotes' and "more".
message Request {
  string city_name = 1;
  google.protobuf.Timestamp when = 2;
  map<string, Inner> inners = 3;
  enum Color { RED = 0; BLUE = 1; }
  Color color = 4;
  message Inner { double x = 1; message Deep { int32 y = 1; } Deep deep = 2; }
  oneof kind { bool a = 5; bytes b = 6; }
  optional int32 maybe = 7;
  repeated shared.Unit units = 8;
  string renamed = 9 [json_name = "other"];
  google.rpc.Status status = 10;
}
enum Level { LOW = 0; HIGH = 1; }
message Response { double price = 1; shared.Base base = 2; }
service Entrypoint { rpc Do (Request) returns (Response) { option (google.api.http) = { get: "/do" }; } }
`,
		"shared/more-units.proto": `syntax = "proto3"; package shared; import public "shared/base.proto"; message Unit { string name = 1; }`,
		"shared/base.proto":       `syntax = "proto3"; package shared; message Base { int64 id = 1; }`,
		"old.proto": `syntax = "proto2"; package old; message M { optional string s = 1 [default = "it's\\"]; extensions 100 to ` +
			`200; } extend M { optional int32 extra = 100; }`,
	}
}

func compiled(t *testing.T, files map[string]string) *schema.Schema {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	s, err := schema.CompileAll(t.Context(), fsys, schema.Options{})
	require.NoError(t, err)
	return s
}

func paths(files []gen.File) (list []string) {
	for _, f := range files {
		list = append(list, f.Path)
	}
	slices.Sort(list)
	return list
}

func write(t *testing.T, dir string, files []gen.File) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, f.Content, 0o644))
	}
}

// use exercises the generated modules as a node's code would.
const use = `
import pickle, sys
import public_input_pb2 as pb, old_pb2
from shared import more_units_pb2
from google.protobuf import any_pb2, json_format
r = pb.Request(city_name="Oslo", color=pb.Request.BLUE, a=True, maybe=0)
r.when.FromSeconds(5)
r.inners["k"].deep.y = 7
r.units.add(name="m")
r.units.append(more_units_pb2.Unit(name="n"))
assert pb.Request.Color.Name(1) == "BLUE" and pb.Level.Value("HIGH") == 1 and pb.HIGH == 1
assert isinstance(pb.Request.Inner.Deep(y=1), pb.Request.Inner.Deep)
assert r.WhichOneof("kind") == "a" and r.HasField("maybe")
any = any_pb2.Any()
any.Pack(r)
assert any.type_url == "type.googleapis.com/main.Request"
back = pb.Request()
assert any.Unpack(back) and back == r and back.inners["k"].deep.y == 7
assert json_format.Parse(json_format.MessageToJson(r), pb.Request()) == r
assert '"other"' in json_format.MessageToJson(pb.Request(renamed="x"))
r.status.code = 3
assert pb.Response(base=more_units_pb2.Base(id=4)).base.id == 4
assert old_pb2.M().s == "it's\\"
m = old_pb2.M()
m.Extensions[old_pb2.extra] = 9
assert old_pb2.M.FromString(m.SerializeToString()).Extensions[old_pb2.extra] == 9
assert pb.Request.__module__ == "public_input_pb2" and pickle.loads(pickle.dumps(r)) == r
assert pb.DESCRIPTOR.services_by_name["Entrypoint"].methods[0].name == "Do"
print("ok")
`

// python returns an interpreter that has protobuf.
func python(t *testing.T) string {
	t.Helper()
	for _, candidate := range []string{os.Getenv("KRT_PYTHON"), "/usr/bin/python3", "python3"} {
		if candidate != "" && exec.Command(candidate, "-c", "import google.protobuf").Run() == nil {
			return candidate
		}
	}
	t.Skip("no Python with protobuf here: apt-get install python3-protobuf, or set KRT_PYTHON")
	return ""
}

func TestPythonRuns(t *testing.T) {
	interpreter := python(t)
	files, err := gen.Python(compiled(t, bundle()))
	require.NoError(t, err)
	require.Equal(t, []string{"old_pb2.py", "public_input_pb2.py", "shared/base_pb2.py", "shared/more_units_pb2.py"}, paths(files))
	dir := t.TempDir()
	write(t, dir, files)
	for name, test := range map[string]struct{ env, before string }{
		"default":     {"X=", ""},
		"pure Python": {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python", ""},
		"before 3.20": {"X=",
			"import sys, google.protobuf.timestamp_pb2, google.protobuf.any_pb2, google.protobuf.descriptor_pb2, google.protobuf.internal as i\n" +
				"del i.builder; sys.modules['google.protobuf.internal.builder'] = None\n"},
		"googleapis not needed": {"X=", "import sys; sys.modules['google.api'] = sys.modules['google.rpc'] = None\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), interpreter, "-W", "error::SyntaxWarning", "-c", test.before+use)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), test.env, "PYTHONDONTWRITEBYTECODE=1")
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Equal(t, "ok\n", string(output))
		})
	}
}

// TestPythonAgreesWithProtoc holds that both register the same bytes: then a module of each may
// be imported into one process.
func TestPythonAgreesWithProtoc(t *testing.T) {
	interpreter := python(t)
	protoc, err := exec.LookPath("protoc")
	if err != nil {
		t.Skip("no protoc here to compare with: apt-get install protobuf-compiler")
	}
	files := bundle()
	delete(files, "public_input.proto") // protoc has no google/api at hand
	files["more.proto"] = `syntax = "proto3"; package p; import "google/protobuf/any.proto";
		message M { repeated int32 some_ids = 1; map<string, google.protobuf.Any> by_name = 2 [json_name = "by-name"]; oneof o { string a_b = 3; }
			optional bool _x1 = 4 [json_name = "z", deprecated = true]; reserved 7, 9 to max; reserved "q"; }
		enum E { option allow_alias = true; A = 0; B = 0; } service S { rpc Do (M) returns (stream M); }`
	generated, err := gen.Python(compiled(t, files))
	require.NoError(t, err)
	ours, theirs := t.TempDir(), t.TempDir()
	write(t, ours, generated)
	var sources []gen.File
	for name, text := range files {
		sources = append(sources, gen.File{Path: name, Content: []byte(text)})
	}
	write(t, theirs, sources)
	args := append([]string{"-I" + theirs, "--python_out=" + theirs}, slices.Sorted(maps.Keys(files))...)
	output, err := exec.CommandContext(t.Context(), protoc, args...).CombinedOutput()
	require.NoError(t, err, "%s", output)
	const serialized = "import old_pb2, more_pb2\nfrom shared import more_units_pb2 as u, base_pb2\nfor m in (old_pb2, more_pb2, u, " +
		"base_pb2): print(m.DESCRIPTOR.serialized_pb)"
	results := map[string]string{}
	for _, dir := range []string{ours, theirs} {
		cmd := exec.CommandContext(t.Context(), interpreter, "-c", serialized)
		cmd.Dir = dir
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", output)
		results[dir] = string(output)
	}
	require.Equal(t, results[theirs], results[ours])
}

func TestGo(t *testing.T) {
	files, err := gen.Go(compiled(t, bundle()), gen.GoOptions{ImportPath: "example.org/node/proto"})
	require.NoError(t, err)
	require.Equal(t, []string{"old.pb.go", "public_input.pb.go", "shared/base.pb.go", "shared/more-units.pb.go"}, paths(files))
	packages := map[string]string{}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Path, f.Content, parser.ParseComments)
		require.NoError(t, err)
		packages[f.Path] = parsed.Name.Name
		if f.Path == "public_input.pb.go" {
			require.Contains(t, string(f.Content), `shared "example.org/node/proto/shared"`)
			require.Contains(t, string(f.Content), `// A request's comment`)
		}
	}
	require.Equal(t, map[string]string{"old.pb.go": "pb", "public_input.pb.go": "pb", "shared/base.pb.go": "shared",
		"shared/more-units.pb.go": "shared"}, packages)
}

func TestGoPackage(t *testing.T) {
	for _, test := range []struct{ name, option, importPath, want, err string }{
		{"import path", "example.org/a/b", "", "b", ""},
		{"import path and name", "example.org/a/b;c", "", "c", ""},
		{"import path wins", "example.org/a/b", "example.org/node/proto", "b", ""},
		{"name only", "pb", "example.org/node/proto", "pb", ""},
		{"relative", "./pb", "example.org/node/proto", "pb", ""},
		{"relative and name", ".;pb", "example.org/node/proto", "pb", ""},
		{"a folder main", "./main", "example.org/node/proto", "proto", ""},
		{"none", "", "example.org/node/my-proto", "my_proto", ""},
		{"a keyword", "", "example.org/node/type", "_type", ""},
		{"none at all", "", "", "", `proto "a.proto" has no import path: set its option go_package, or give an import path`},
		{"name without a place", "pb", "", "", `proto "a.proto" has no import path`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := compiled(t, map[string]string{"a.proto": `syntax = "proto3"; option go_package = "` + test.option + `"; message M {}`})
			files, err := gen.Go(s, gen.GoOptions{ImportPath: test.importPath})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, files, 1)
			require.Contains(t, string(files[0].Content), "\npackage "+test.want+"\n")
		})
	}
}

func TestGoPackagesMustAgree(t *testing.T) {
	s := compiled(t, map[string]string{
		"a.proto": `syntax = "proto3"; option go_package = "./one"; message A {}`,
		"b.proto": `syntax = "proto3"; option go_package = "./two"; message B {}`,
	})
	_, err := gen.Go(s, gen.GoOptions{ImportPath: "example.org/x/pb"})
	require.ErrorContains(t, err, `proto "b.proto": go_package names package "two", other protos of "example.org/x/pb" name it "one"`)
}

// TestGoCompiles builds what is generated, inside this module where its imports are at hand.
func TestGoCompiles(t *testing.T) {
	files, err := gen.Go(compiled(t, bundle()), gen.GoOptions{ImportPath: "krt.dev/kn-krt/pkg/schema/gen/testdata/built"})
	require.NoError(t, err)
	overlay := t.TempDir()
	write(t, overlay, files)
	cwd, err := os.Getwd()
	require.NoError(t, err)
	replace := `{"Replace": {`
	for i, f := range files {
		if i > 0 {
			replace += ","
		}
		replace += `"` + filepath.Join(cwd, "testdata/built", f.Path) + `": "` + filepath.Join(overlay, f.Path) + `"`
	}
	list := filepath.Join(overlay, "overlay.json")
	require.NoError(t, os.WriteFile(list, []byte(replace+"}}"), 0o644))
	output, err := exec.CommandContext(t.Context(), "go", "build", "-overlay="+list, "./testdata/built/shared",
		"./testdata/built").CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestNothingToGenerate(t *testing.T) {
	s := compiled(t, nil)
	files, err := gen.Go(s, gen.GoOptions{})
	require.NoError(t, err)
	require.Empty(t, files)
	files, err = gen.Python(s)
	require.NoError(t, err)
	require.Empty(t, files)
}
