package bundle

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
)

// The go command, which is interrupted and does not clean up, stands for one that is killed.
func TestTestsThatAreBrokenOffLeaveNothingBehind(t *testing.T) {
	dir, bin, temp := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main_test.go"), []byte("package main\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\n"+
		"mkdir -p \"${GOTMPDIR:-$TMPDIR}/go-build1/b001\" && echo begun && exec sleep 3600\n"), 0o700))
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("TMPDIR", temp)
	t.Setenv("GOTMPDIR", "")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said []string
	out := &child.Lines{Each: func(line string) {
		made, err := filepath.Glob(filepath.Join(temp, "*", "go-build1", "b001"))
		require.NoError(t, err)
		require.Len(t, made, 1)
		said = append(said, line)
		cancel()
	}}
	tests, err := newTester(term.Streams{Out: out, Err: os.Stderr}, &krt.Bundle{Dir: dir})
	require.NoError(t, err)
	require.Error(t, tests.test(ctx, source{kind: krt.KindGoSource}))
	tests.close()
	require.Equal(t, "begun", strings.Join(said, "\n"))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
