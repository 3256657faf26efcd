package local

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

func TestClassify(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "public.proto"), testProto)
	write(t, filepath.Join(dir, "src/etl/main.py"), "def handler(ctx, data): pass")
	write(t, filepath.Join(dir, "src/model/main.py"), "def handler(ctx, data): pass")
	write(t, filepath.Join(dir, "src/out/main.go"), "package main")
	write(t, filepath.Join(dir, "krt.yml"), `version: test-v1
description: A version for tests.
entrypoint: {proto: public.proto}
nodes:
  - {name: etl, image: konstellation/kre-py:1.9.0, src: src/etl/main.py}
  - {name: again, image: konstellation/kre-py:1.9.0, src: src/etl/main.py}
  - {name: model, image: konstellation/kre-py:1.9.0, src: src/model/main.py}
  - {name: out, image: konstellation/kre-go:1.9.0, src: src/out}
workflows:
  - {name: one, entrypoint: Hello, sequential: [etl, again, model, out]}
`)
	b, problems, err := krt.Load(t.Context(), dir, krt.Options{})
	require.NoError(t, err)
	require.Empty(t, problems.Errors())
	all := []string{"again", "etl", "model", "out"}
	for path, want := range map[string]struct {
		version bool
		nodes   []string
	}{
		"krt.yml":               {true, nil},
		"public.proto":          {true, all},
		"src/x/internal.proto":  {true, all},
		".":                     {true, all},
		"src/etl/main.py":       {false, []string{"again", "etl"}},
		"src/etl/lib/help.py":   {false, []string{"again", "etl"}},
		"src/etl/words.txt":     {false, []string{"again", "etl"}},
		"src/out/go.mod":        {false, []string{"out"}},
		"src/shared/help.py":    {false, []string{"again", "etl", "model"}},
		"internal/share.go":     {false, []string{"out"}},
		"go.sum":                {false, []string{"out"}},
		"models/m.json":         {false, all},
		"bin/other":             {false, nil},
		"docs/README.md":        {false, nil},
		"README.md":             {false, nil},
		"metrics/dashboards/a.": {false, nil},
	} {
		t.Run(path, func(t *testing.T) {
			c := classify(b, []string{path})
			require.Equal(t, want.version, c.version)
			require.ElementsMatch(t, want.nodes, sortedKeys(c.nodes))
			require.Equal(t, !want.version && want.nodes == nil, c.empty())
		})
	}
}

func TestWithin(t *testing.T) {
	require.True(t, within(".", "main.py"))
	require.False(t, within(".", "src/main.py"))
	require.True(t, within("src/a", "src/a/b/c"))
	require.False(t, within("src/a", "src/ab"))
	require.False(t, within("", "src/ab"))
}
