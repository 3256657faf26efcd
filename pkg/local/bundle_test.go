package local

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// heard keeps the texts of warnings.
type heard struct{ texts []string }

func (h *heard) Event(e Event)              { h.texts = append(h.texts, e.Text) }
func (h *heard) Line(_, _ string, _ string) {}

func TestWarningsOfImagesAreOneLine(t *testing.T) {
	h := &heard{}
	_, err := checked(&krt.Bundle{Manifest: &krt.Manifest{}}, krt.Problems{
		{File: "requirements.txt", Line: 1, Warning: true, Image: true, Text: "no image can be made: a"},
		{File: "krt.yml", Line: 1, Column: 1, Warning: true, Text: "odd"},
		{File: "requirements.txt", Line: 2, Warning: true, Image: true, Text: "no image can be made: b"},
	}, nil, h)
	require.NoError(t, err)
	require.Equal(t,
		[]string{"krt.yml:1:1: odd", "no image can be built yet (2 warnings about requirements), and a local run needs none"}, h.texts)
}

// Nodes start in the bundle's folder, and KRT_PYTHON may be a path from where the user is.
func TestRelativePathOfPython(t *testing.T) {
	dir, here := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "public.proto"), testProto)
	write(t, filepath.Join(dir, "main.py"), "def handler(ctx, data): pass")
	write(t, filepath.Join(dir, "krt.yml"), `version: test-v1
description: A version for tests.
entrypoint: {proto: public.proto}
nodes: [{name: etl, image: kn-krt-python, src: main.py}]
workflows: [{name: one, entrypoint: Hello, sequential: [etl]}]
`)
	b, problems, err := krt.Load(t.Context(), dir, krt.Options{})
	require.NoError(t, err)
	require.Empty(t, problems.Errors())
	python := write(t, filepath.Join(here, "venv", "bin", "python3"), "")
	require.NoError(t, os.Chmod(python, 0o700))
	t.Chdir(here)
	t.Setenv("KRT_PYTHON", filepath.Join("venv", "bin", "python3"))
	p := place{}
	require.NoError(t, p.findPython(b, &heard{}))
	require.Equal(t, python, p.python)
}
