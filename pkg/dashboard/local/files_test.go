package local

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestFilesAreTheBundlesAsTheyAreNow(t *testing.T) {
	dir := newBundle(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "docs"), 0o755))
	write(t, dir, "docs/README.md", "# One")
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "assets/examples"), 0o755))
	write(t, dir, "assets/examples/hello.json", "{}")
	write(t, dir, "assets/rates.json", "{}")
	r := startRun(t, dir)
	r.until(t, isReady)
	files, err := r.Files(t.Context(), ref)
	require.NoError(t, err)
	text, err := fs.ReadFile(files, "docs/README.md")
	require.NoError(t, err)
	require.Equal(t, "# One", string(text))

	text, err = fs.ReadFile(files, "assets/examples/hello.json")
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))

	write(t, dir, "docs/README.md", "# Two")
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "docs/secret.md")))
	text, err = fs.ReadFile(files, "docs/README.md")
	require.NoError(t, err)
	require.Equal(t, "# Two", string(text))
	_, err = fs.ReadFile(files, "docs/secret.md")
	require.Error(t, err, "a link leads out of the bundle")
	for _, other := range []string{"krt.yml", ".", "docsx", "docs/../krt.yml", "bin/hello", "assets/rates.json"} {
		_, err := files.Open(other)
		require.Error(t, err, other)
		_, err = fs.Stat(files, other)
		require.Error(t, err, other)
	}

	protos, err := r.Contract(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, &source.Contract{Entry: "public.proto", Protos: map[string][]byte{"public.proto": []byte(testProto)}}, protos)
	var unknown *source.NotFoundError
	_, err = r.Files(t.Context(), source.Ref{Namespace: "local", Name: "other"})
	require.ErrorAs(t, err, &unknown)
	_, err = r.Contract(t.Context(), source.Ref{Namespace: "local", Name: "other"})
	require.ErrorAs(t, err, &unknown)
}
