package krt_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// generatedOf is the Go code of a proto.
func generatedOf(t *testing.T, proto string) string {
	t.Helper()
	s, err := schema.CompileAll(t.Context(), os.DirFS(write(t, map[string]string{"public_input.proto": proto})), schema.Options{})
	require.NoError(t, err)
	made, err := gen.Go(s, gen.GoOptions{ImportPath: "second/proto"})
	require.NoError(t, err)
	return string(made[0].Content)
}

// A handler that is built with code of an earlier proto drops the fields that it does not know.
func TestLoadWarnsOfGoCodeOfAnotherProto(t *testing.T) {
	files := goodBundle()
	files["src/second/proto/public_input.pb.go"] = generatedOf(t, publicProto)
	_, problems := load(t, write(t, files))
	require.Empty(t, problems)
	stale := generatedOf(t, strings.Replace(publicProto, "string city = 1;", "string town = 1;", 1))
	for _, name := range []string{"src/second/proto/public_input.pb.go", "src/second/vendor/x/p.pb.go", ".cache/p.pb.go"} {
		files[name] = stale
	}
	_, problems = load(t, write(t, files))
	require.Equal(t, []string{"src/second/proto/public_input.pb.go: warning: does not match public_input.proto, " +
		"from which it was generated; generate it again"}, problems)
}
