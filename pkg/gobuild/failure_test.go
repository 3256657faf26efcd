package gobuild_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/gobuild"
)

func TestFailed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	target := gobuild.Target{Folder: filepath.Join(dir, "src"), Pattern: "."}
	require.Equal(t, []string{
		"src/main.go:3:4: undefined: y",
		"go.mod requires Go 1.99, and this machine has Go 1.26.8: install a newer one (https://go.dev/dl); none is downloaded for a bundle",
		"example.com/m@v1.0.0 requires Go 1.99.1, and this machine has Go 1.26.8: install a newer one (https://go.dev/dl); none is " +
			"downloaded for a bundle",
	}, gobuild.Failed("a", target, []string{
		"# example.com/a", "./main.go:3:4: undefined: y",
		"go: /tmp/x/go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)",
		"go: example.com/m@v1.0.0 requires go >= 1.99.1 (running go 1.26.8; GOTOOLCHAIN=local)",
	}).Output)
	require.Len(t, gobuild.Failed("a", target, make([]string, 10_000)).Output, gobuild.MaxOutput)

	require.NoError(t, os.Mkdir(target.Folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(target.Folder, "c.go"), []byte("package main\n\n// int x;\nimport \"C\"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(target.Folder, "main.go"), []byte("package main\n\nimport \"os\"\n"), 0o600))
	require.Equal(t,
		[]string{"undefined: V",
			`src/c.go: it imports "C" and is left out, because nodes are built without cgo: build the program yourself and ` +
				`name it as the node's src`},
		gobuild.Failed("a", target, []string{"undefined: V"}).Output)
}

func TestAPipeIsNotRead(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module m\n\ngo 1.25.0\n"), 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(folder, "go.sum"), 0o600))
	_, err := gobuild.TestFlags(t.Context(), gobuild.Target{Folder: folder, Pattern: "."}, t.TempDir())
	require.ErrorContains(t, err, "is not a regular file")
}
