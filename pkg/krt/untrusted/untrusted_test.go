package untrusted_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

func TestOnlyRegularFilesOfTheFolderAreRead(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("text"), 0o600))
	require.NoError(t, os.Symlink("file", filepath.Join(dir, "inside")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "outside")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	for name, bundle := range map[string]fs.FS{"opened again for each call": untrusted.FS(dir), "opened": root.FS()} {
		for file, want := range map[string]string{"file": "te", "inside": "te"} {
			text, err := untrusted.ReadFile(bundle, file, 2)
			require.NoError(t, err, name)
			require.Equal(t, want, string(text), name)
		}
		for _, file := range []string{"outside", "../" + filepath.Base(dir) + "/file", outside, "folder", "pipe", "none"} {
			_, err := untrusted.ReadFile(bundle, file, 2)
			require.Error(t, err, "%s: %s", name, file)
		}
		_, err = untrusted.ReadFile(bundle, "pipe", 2)
		require.EqualError(t, err, `"pipe" is not a regular file`)
	}
	require.Equal(t, []string{"file", "folder", "inside", "outside", "pipe"}, untrusted.Names(root, "."))
	require.Empty(t, untrusted.Names(root, "none"))
	_, err = os.Open(filepath.Join(dir, "none"))
	require.Equal(t, syscall.ENOENT, untrusted.Reason(err))
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := untrusted.Until(ctx, strings.NewReader("text"))
	_, err := io.ReadFull(r, make([]byte, 2))
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(r)
	require.ErrorIs(t, err, context.Canceled)
}

func TestReadingEndsAtTheBound(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	text, err := untrusted.ReadPath(path, 4)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
	text, err = untrusted.ReadPath(path, 3)
	require.EqualError(t, err, path+" is larger than 3 bytes")
	require.Nil(t, text)
	_, err = untrusted.ReadAll(strings.NewReader("text"), "it", 3)
	require.EqualError(t, err, "it is larger than 3 bytes")
}
