package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// goodBundle returns the files of a bundle.
func goodBundle() map[string]string {
	return map[string]string{
		"krt.yml":            "version: v\ndescription: what packing does not read: it takes the manifest as it is, whatever stands in it\n",
		"public_input.proto": "syntax = \"proto3\";\n",
		"src/etl/main.py":    "async def handler(ctx, data):\n    return data\n",
		"src/model/main.py":  "from shared import handler\n",
		"src/second/main.go": "package main\n",
		"src/second/go.mod":  "module second\n",
		"bin/output":         "#!/bin/sh\n",
	}
}

// write makes a folder of files; those under bin are executable.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(file, []byte(text), mode))
	}
	return dir
}

func pack(t *testing.T, dir string, o archive.PackOptions) []byte {
	t.Helper()
	var packed bytes.Buffer
	require.NoError(t, archive.Pack(t.Context(), dir, &packed, o))
	return packed.Bytes()
}

// names returns what packed holds, in order.
func names(t *testing.T, packed []byte) (list []string) {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(t, err)
	for entries := tar.NewReader(zip); ; {
		header, err := entries.Next()
		if err == io.EOF {
			return list
		}
		require.NoError(t, err)
		list = append(list, header.Name)
	}
}

func TestPackIsDeterministic(t *testing.T) {
	first, second := write(t, goodBundle()), write(t, goodBundle())
	require.NoError(t, os.Chtimes(filepath.Join(second, "krt.yml"), time.Unix(1, 0), time.Unix(1, 0)))
	require.NoError(t, os.Chmod(filepath.Join(second, "krt.yml"), 0o600))
	packed := pack(t, first, archive.PackOptions{})
	require.Equal(t, packed, pack(t, first, archive.PackOptions{}))
	require.Equal(t, packed, pack(t, second, archive.PackOptions{}))
	require.Equal(t, []string{"bin/", "bin/output", "krt.yml", "public_input.proto", "src/", "src/etl/", "src/etl/main.py", "src/model/",
		"src/model/main.py", "src/second/", "src/second/go.mod", "src/second/main.go"}, names(t, packed))
}

func TestPackThenUnpack(t *testing.T) {
	dir := write(t, goodBundle())
	unpacked := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, archive.Unpack(t.Context(), bytes.NewReader(pack(t, dir, archive.PackOptions{})), unpacked, archive.UnpackOptions{}))
	for name, want := range goodBundle() {
		text, err := os.ReadFile(filepath.Join(unpacked, name))
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
	for name, mode := range map[string]os.FileMode{"bin/output": 0o111, "krt.yml": 0} {
		info, err := os.Stat(filepath.Join(unpacked, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode()&0o111)
	}
}

func TestPackIgnores(t *testing.T) {
	files := goodBundle()
	files[".krtignore"] = "# comment\n\n*.log\n/models/\nsrc/**/test_*.py\n!src/etl/test_kept.py\nkrt.yml\ndocs\ndata/\n"
	for _, name := range []string{"a.log", "src/etl/b.log", "models/x", "src/models/x", "src/etl/test_a.py", "src/etl/test_kept.py",
		"docs/README.md", "data",
		".git/HEAD", "src/etl/__pycache__/m.pyc", "old.krt", "more/x"} {
		files[name] = ""
	}
	got := names(t, pack(t, write(t, files), archive.PackOptions{Ignore: []string{"more/"}}))
	require.Equal(t, []string{".krtignore", "bin/", "bin/output", "data", "krt.yml", "public_input.proto", "src/", "src/etl/",
		"src/etl/main.py", "src/etl/test_kept.py",
		"src/model/", "src/model/main.py", "src/models/", "src/models/x", "src/second/", "src/second/go.mod", "src/second/main.go"}, got)
}

func TestPackRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		limits archive.Limits
		want   string
	}{
		{"no manifest", func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "krt.yml"))) }, archive.Limits{},
			"there is no krt.yml in the folder"},
		{"symbolic link", func(t *testing.T, dir string) {
			require.NoError(t, os.Symlink("krt.yml", filepath.Join(dir, "src/link")))
		}, archive.Limits{}, `"src/link": it is a symbolic link; a bundle can contain only files and folders`},
		{"socket", func(t *testing.T, dir string) {
			listener, err := net.Listen("unix", filepath.Join(dir, "s"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
		}, archive.Limits{}, `"s": it is a socket`},
		{"names that clash", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "KRT.yml"), nil, 0o644))
		}, archive.Limits{}, `"krt.yml": "krt.yml" clashes with another name that differs in letter case only`},
		{"Unicode forms", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "caf\u00e9"), nil, 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "cafe\u0301"), nil, 0o644))
		}, archive.Limits{}, `clashes with another name that differs only in how its accents are written (Unicode form: "caf\u00e9")`},
		{"backslash", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, `a\b`), nil, 0o644))
		}, archive.Limits{}, `"a\\b": its name contains a backslash`},
		{"too many entries", func(*testing.T, string) {}, archive.Limits{MaxEntries: 3},
			`"public_input.proto": the bundle contains more than 3 files and folders`},
		{"too large", func(*testing.T, string) {}, archive.Limits{MaxBytes: 100}, `"krt.yml": the bundle is larger than 100 bytes unpacked`},
		{"compresses too well", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "zeros"), make([]byte, 17<<20), 0o644))
		}, archive.Limits{}, `it is compressed by more than 200:1`},
		{"bad pattern", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, ".krtignore"), []byte("a[b\n"), 0o644))
		}, archive.Limits{}, `.krtignore:1: pattern "a[b" is not a glob`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := write(t, goodBundle())
			test.change(t, dir)
			err := archive.Pack(t.Context(), dir, io.Discard, archive.PackOptions{Limits: test.limits})
			require.ErrorContains(t, err, test.want)
			require.Equal(t, 1, strings.Count(err.Error(), "cannot pack"))
		})
	}
}

func TestPackCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, archive.Pack(ctx, write(t, goodBundle()), io.Discard, archive.PackOptions{}), context.Canceled)
}
