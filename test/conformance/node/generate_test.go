package node_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

var update = flag.Bool("update", false, "write the generated code anew")

func TestGeneratedCodeIsThatOfTheProto(t *testing.T) {
	s, err := schema.Compile(t.Context(), os.DirFS("."), "conformance.proto", schema.Options{})
	require.NoError(t, err)
	files, err := gen.Go(s, gen.GoOptions{})
	require.NoError(t, err)
	require.Len(t, files, 1)
	if *update {
		require.NoError(t, os.WriteFile(files[0].Path, files[0].Content, 0o644))
	}
	got, err := os.ReadFile(files[0].Path)
	require.NoError(t, err)
	require.Equal(t, string(files[0].Content), string(got), "run go test ./test/conformance/node -update")
}
