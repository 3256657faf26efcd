package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt/archive"
)

func TestModulesFromOutsideAreInNoImage(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, map[string]string{"go.mod": "module example.com/outside\n\ngo 1.25.0\n", "x.go": "package outside\n"})
	b, _ := newTestBuilder(t, newHub(t), nil)
	bundle := bundle(t, map[string]string{
		"krt.yml": manifest("{name: step, image: 'ko://example.com/version/cmd/step'}",
			"{name: etl, image: 'konstellation/kre-go:1.9.0', src: src/etl}"),
		"go.mod":                     "module example.com/version\n\ngo 1.25.0\n\nreplace example.com/outside => " + outside + "\n",
		"cmd/step/main.go":           goNode,
		"src/etl/go.mod":             "module example.com/etl\n\ngo 1.25.0\n\nreplace example.com/outside => " + outside + "\n",
		"src/etl/main.go":            "package main\n\nimport _ \"example.com/outside\"\n\nfunc main() {}\n",
		"src/etl/vendor/modules.txt": "",
	})
	for name, file := range map[string]string{"step": "go.mod", "etl": "src/etl/go.mod"} {
		_, err := b.Build(t.Context(), bundle, node(t, bundle, name))
		require.ErrorContains(t, err, file+":5:1: replace example.com/outside: ")
		require.ErrorContains(t, err, "is outside the bundle; copy the module into the bundle")
	}
}

func TestKoDataIsWhatIsPacked(t *testing.T) {
	b := bundle(t, map[string]string{
		"krt.yml": twoNodes()["krt.yml"], "src/etl/main.py": handler, "src/model/main.py": handler, ".env": "SECRET=1", "models/a": "1",
		"models/.env":    "2",
		"cmd/a/kodata/x": "1", "cmd/a/kodata/.env": "2", "cmd/a/kodata/.aws/credentials": "3", "cmd/a/kodata/notes": "4",
		".krtignore": "notes\n/cmd/a/kodata/cfg\n/cmd/a/kodata/models\n",
	})
	for link, to := range map[string]string{"cfg": "../../../.env", "models": "../../../models"} {
		require.NoError(t, os.Symlink(to, filepath.Join(b.Dir, "cmd", "a", "kodata", link)))
	}
	listed, err := b.Contents(t.Context(), archive.Limits{})
	require.NoError(t, err)
	files, err := koDataOf(b, (&session{bundle: b, files: listed.Files}).packed().names, "cmd/a/kodata")
	require.NoError(t, err)
	var all []string
	for _, f := range files {
		all = append(all, f.To+" "+f.Name)
	}
	require.Equal(t, []string{"var/run/ko/models/a models/a", "var/run/ko/x cmd/a/kodata/x"}, all)
}
