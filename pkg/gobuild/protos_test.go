package gobuild

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const testProto = `syntax = "proto3";
package main;
option go_package = "./proto";
message Request { string word = 1; }
`

// shown are the files, by their paths below dir, that the go command is shown beside the
// SDKs for the node src/n of a bundle of these files, and the one in the place of protosFile,
// which is the same wherever it is shown.
func shown(t *testing.T, files map[string]string) (added []string, protos string) {
	t.Helper()
	dir := t.TempDir()
	files["public_input.proto"] = testProto
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	sdks, err := Carry(t.TempDir())
	require.NoError(t, err)
	scratch := t.TempDir()
	_, err = BuildFlags(t.Context(), sdks, Target{Folder: filepath.Join(dir, "src/n"), Pattern: ".", Bundle: dir}, scratch)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(scratch, "overlay.json"))
	require.NoError(t, err)
	var overlay struct{ Replace map[string]string }
	require.NoError(t, json.Unmarshal(text, &overlay))
	for at, file := range overlay.Replace {
		if filepath.Base(at) == protosFile {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, []string{"", string(content)}, protos)
			protos = string(content)
		}
		if !strings.Contains(at, place) {
			below, err := filepath.Rel(dir, at)
			require.NoError(t, err)
			added = append(added, below)
		}
	}
	slices.Sort(added)
	return added, protos
}

func TestGeneratedCodeThatIsMissing(t *testing.T) {
	const gomod, short = "module example.org/n\n\ngo 1.18\n", "module main\n\ngo 1.18\n"
	code := func(imported string) string { return "package main\n\nimport pb \"" + imported + "\"\n" }
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"missing": {map[string]string{"src/n/main.go": code("example.org/n/proto"), "src/n/go.mod": gomod},
			[]string{"src/n/proto/public_input.pb.go"}},
		"assembly that nothing has checked is hidden": {map[string]string{"src/n/main.go": code("example.org/n/proto"), "src/n/go.mod": gomod,
			"src/n/proto/a.s": ""}, []string{"src/n/proto/a.s", "src/n/proto/public_input.pb.go"}},
		"there": {map[string]string{"src/n/main.go": code("example.org/n/proto"), "src/n/proto/x.go": "package proto\n",
			"src/n/go.mod": gomod}, nil},
		"of another": {map[string]string{"src/n/main.go": code("example.org/m/proto"), "src/n/go.mod": gomod}, nil},
		"two, one of them": {map[string]string{"src/n/main.go": code("example.org/n/a"), "src/n/b.go": code("example.org/n/b"),
			"src/n/go.mod": gomod}, nil},
		"leads outside": {map[string]string{"src/n/main.go": code("example.org/n/../../../etc"), "src/n/go.mod": gomod}, nil},
		"module at the root": {map[string]string{"src/n/main.go": code("example.org/n/src/n/pb"), "go.mod": gomod},
			[]string{"src/n/pb/public_input.pb.go"}},
		"in package main": {map[string]string{"src/n/main.go": "package main\n\nvar x Request\n", "src/n/go.mod": short},
			[]string{"src/n/public_input.pb.go"}},
		"declared in package main": {map[string]string{"src/n/main.go": "package main\n\nvar x Request\n",
			"src/n/b.go": "package main\n\ntype Request int\n", "src/n/go.mod": gomod}, nil},
		"other names": {map[string]string{"src/n/main.go": "package main\n\nvar x Answer\n", "src/n/go.mod": gomod}, nil},
		"not Go":      {map[string]string{"src/n/main.go": "no Go", "src/n/go.mod": gomod}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			added, protos := shown(t, c.files)
			require.Equal(t, c.want, added)
			require.Contains(t, protos, `const protos = ""`)
		})
	}
}

func TestDescriptorsForHandlersOfJSON(t *testing.T) {
	_, none := shown(t, map[string]string{"src/n/main.go": "package main\n\nimport \"github.com/konstellation-io/kre/runners/kre-go\"\n\n" +
		"func handler(ctx *kre.HandlerContext, data []byte) (interface{}, error) {\n}\n"})
	require.Contains(t, none, "public_input.proto", "without a go.mod")
	for signature, want := range map[string]bool{
		"ctx *kre.HandlerContext, data []byte) (interface{}, error) {":             true,
		"ctx *kre.HandlerContext, data []byte) (res interface {}, err error) {":    true,
		"ctx *kre.HandlerContext,\n\tdata []byte,\n) (any, error) {":               true,
		"ctx *kre.HandlerContext, data *anypb.Any) (proto.Message, error) {":       false,
		"ctx *kre.HandlerContext, data *anypb.Any) (m proto.Message, err error) {": false,
	} {
		_, protos := shown(t, map[string]string{
			"src/n/go.mod":  "module n\n",
			"src/n/main.go": "package main\n\nimport \"gitlab.com/konstellation/kre/runtime-runners/kre-go\"\n\nfunc handler(" + signature + "\n}\n",
		})
		require.Equal(t, want, strings.Contains(protos, "public_input.proto"), signature)
	}
}
