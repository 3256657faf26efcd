package image

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withMain returns twoNodes with other code for etl.
func withMain(code string, more map[string]string) map[string]string {
	files := twoNodes()
	files["src/etl/main.py"] = code + "\n" + handler
	for name, text := range more {
		files[name] = text
	}
	return files
}

func names(s split) (all []string) {
	for _, f := range s.models {
		all = append(all, "models:"+f.Name)
	}
	for _, f := range s.shared {
		all = append(all, "shared:"+f.Name)
	}
	for _, f := range s.own {
		all = append(all, "own:"+f.Name)
	}
	return all
}

// has says which files of a bundle stand in the image of etl.
func has(t *testing.T, files map[string]string) []string {
	t.Helper()
	b, _ := newTestBuilder(t, newHub(t), nil)
	bundle := bundle(t, files)
	s, err := b.session(t.Context(), bundle)
	require.NoError(t, err)
	defer s.close()
	return names(s.split(node(t, bundle, "etl")))
}

func TestSplit(t *testing.T) {
	require.Equal(t, []string{
		"models:models/room.json", "shared:krt.yml", "shared:public_input.proto", "shared:src/shared/help.py",
		"own:src/etl/features.py", "own:src/etl/main.py",
	}, has(t, twoNodes()))
}

func TestOtherCodeStaysWhereItMayBeUsed(t *testing.T) {
	const other = "own:src/model/main.py"
	for name, c := range map[string]struct {
		files map[string]string
		stays bool
	}{
		"nothing said":          {withMain("# the model follows: models/room.json", nil), false},
		"path":                  {withMain(`f = open(ctx.path("src/model/vocab.txt"))`, nil), true},
		"path of parts":         {withMain(`p = os.path.join(base, "src", "model")`, nil), true},
		"module":                {withMain("from src.model import main as m", nil), true},
		"relative path":         {withMain(`p = HERE / ".." / "model"`, nil), true},
		"computed path":         {withMain(`p = ctx.path(f"src/{name}/x")`, nil), true},
		"computed parts":        {withMain(`p = os.path.join("src", name)`, nil), true},
		"search path":           {withMain("sys.path.append('x')", nil), true},
		"another folder's name": {withMain(`open("src/models-old/x")`, nil), false},
		"shared code":           {withMain("", map[string]string{"src/shared/help.py": `open("src/model/x")`}), true},
		"shared settings":       {withMain("", map[string]string{"assets/paths.json": `{"vocabulary": "src/model/x"}`}), true},
		"generated module":      {withMain("", map[string]string{"src/etl/x_pb2.py": "import sys\nsys.path"}), false},
		"objects of Kubernetes": {withMain("",
			map[string]string{"version.yaml": "apiVersion: krt.dev/v1alpha1\nspec: {src: src/model/main.py}\n"}), false},
		"another language":  {withMain("", map[string]string{"cmd/model/main.go": `package main // "src/model/main.py"`}), false},
		"test":              {withMain("", map[string]string{"src/etl/test_main.py": "import sys\nsys.path.insert(0, '.')"}), false},
		"own folder's data": {withMain(`open("src/etl/data")`, map[string]string{"src/etl/data": "x"}), false},
		"folder within another": {withMain("", map[string]string{
			"krt.yml": manifest("{name: etl, image: 'konstellation/kre-py:1', src: src/etl/main.py}",
				"{name: sub, image: 'konstellation/kre-py:1', src: src/model/sub/main.py}",
				"{name: model, image: 'konstellation/kre-py:1', src: src/model/main.py}"),
			"src/model/sub/main.py": handler}), true},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(has(t, c.files), "\n")
			stays := strings.Contains(got, other) || strings.Contains(got, "shared:src/model/main.py")
			require.Equal(t, c.stays, stays, got)
		})
	}
}

func TestTopLevelFoldersAreShared(t *testing.T) {
	require.Contains(t, has(t, map[string]string{
		"krt.yml": manifest("{name: etl, image: 'konstellation/kre-py:1', src: etl/main.py}",
			"{name: model, image: 'konstellation/kre-py:1', src: model/main.py}"),
		"etl/main.py": handler, "model/main.py": handler,
	}), "shared:model/main.py")
}

func TestIgnoredFilesStayOut(t *testing.T) {
	files := twoNodes()
	files[".krtignore"], files["training/rooms.csv"], files["src/etl/__pycache__/x.pyc"] = "training/\n", "1", "1"
	require.NotContains(t, strings.Join(has(t, files), " "), "training/")
	require.NotContains(t, strings.Join(has(t, files), " "), "__pycache__")
}
