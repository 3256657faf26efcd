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

// However the go command says that it finds no package, the go.mod above the bundle is named.
func TestFailedBelowAModule(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("go.mod", []byte("module example.com/repository\n"), 0o600))
	bundle := filepath.Join(dir, "bundle")
	require.NoError(t, os.Mkdir(bundle, 0o755))
	target := gobuild.Target{Folder: filepath.Join(bundle, "src"), Pattern: ".", Bundle: bundle}
	for line, named := range map[string]bool{
		"main.go:6:2: package private is not in std (/usr/local/go/src/private)":                                                     true,
		"main.go:6:2: cannot find module providing package example.com/repository/private: module lookup disabled by GOPROXY=off":    true,
		"main.go:6:2: no required module provides package example.com/repository/private; to add it:":                                true,
		"main.go:6:2: module example.com/repository: reading https://proxy.golang.org/example.com/repository/@v/list: 404 Not Found": true,
		"main.go:6:2: module example.com/repository@latest found (v1.0.0), but does not contain package " +
			"example.com/repository/private": true,
		"./main.go:6:2: undefined: module": false,
	} {
		said := gobuild.Failed("a", target, []string{line}).Output
		if !named {
			require.Len(t, said, 1, line)
			continue
		}
		require.Len(t, said, 2, line)
		require.Contains(t, said[1], "go.mod is above the bundle and not used: ")
	}
}

func TestAPipeIsNotRead(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module m\n\ngo 1.25.0\n"), 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(folder, "go.sum"), 0o600))
	_, err := gobuild.TestFlags(t.Context(), gobuild.Target{Folder: folder, Pattern: "."}, t.TempDir())
	require.ErrorContains(t, err, "is not a regular file")
}
