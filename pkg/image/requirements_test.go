package image

import (
	"debug/elf"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/pip"
)

func TestChangedRequirementsAreOthers(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	identify := func(change map[string]string) string {
		all := twoNodes()
		all["src/etl/requirements.txt"] = "-r more.txt\n-c limits.txt\n./wheels/a-1-py3-none-any.whl\n"
		all["src/etl/more.txt"], all["src/etl/limits.txt"] = "b\n", "c<2\n"
		all["src/etl/wheels/a-1-py3-none-any.whl"] = string(wheel(t, "a", "1", "py3-none-any", "X = 1"))
		for name, text := range change {
			all[name] = text
		}
		bundle := bundle(t, all)
		s, err := b.session(t.Context(), bundle)
		require.NoError(t, err)
		list, err := s.required(node(t, bundle, "etl"), "src/etl/requirements.txt", nil)
		require.NoError(t, err)
		id, err := s.installer().ID(pip.Set{List: list, Version: "3.11", Platform: v1.Platform{OS: "linux"}})
		require.NoError(t, err)
		return id
	}
	same := identify(nil)
	require.Equal(t, same, identify(map[string]string{"src/etl/main.py": handler + "#\n", "src/etl/more.txt": "# more\nb\n"}))
	for name, text := range map[string]string{
		"src/etl/requirements.txt":            "-r more.txt\n-c limits.txt\n",
		"src/etl/more.txt":                    "b==1\n",
		"src/etl/limits.txt":                  "c<3\n",
		"src/etl/wheels/a-1-py3-none-any.whl": string(wheel(t, "a", "1", "py3-none-any", "X = 2")),
	} {
		require.NotEqual(t, same, identify(map[string]string{name: text}), name)
	}
}

func TestOtherRequirementsAreNamed(t *testing.T) {
	for file, c := range map[string]struct{ text, warning string }{
		"src/etl/pyproject.toml": {"[project]\nname = 'x'\ndependencies = [\n  'requests',\n]\n",
			`"src/etl/pyproject.toml" lists packages, but nodes get only those in a requirements.txt, and there is none: write one next to it`},
		"pyproject.toml":     {"[tool.poetry.dependencies]\nrequests = '*'\n", `"pyproject.toml" lists packages`},
		"src/pyproject.toml": {"[tool.ruff]\nline-length = 100\n[project]\ndependencies = []\n", ""},
		"src/etl/Pipfile":    {"", `"src/etl/Pipfile" lists packages`},
		"environment.yml":    {"", `"environment.yml" lists packages`},
	} {
		files := twoNodes()
		files[file] = c.text
		b, events := newTestBuilder(t, newHub(t), nil)
		bundle := bundle(t, files)
		_, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
		require.NoError(t, err)
		if c.warning == "" {
			require.Empty(t, events.of(EventWarning), file)
			continue
		}
		require.Len(t, events.of(EventWarning), 1)
		require.Contains(t, events.of(EventWarning)[0].Text, c.warning)
	}
}

func TestRequirementsOnABaseWithoutPython(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, func(o *Options) {
		made, err := mutate.AppendLayers(empty.Image, static.NewLayer(nil, "application/vnd.docker.image.rootfs.diff.tar"))
		require.NoError(t, err)
		o.PythonBase = h.pushImage(t, "plain", made, nil)
	})
	files := twoNodes()
	files["requirements.txt"] = "requests\n"
	bundle := bundle(t, files)
	_, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.ErrorIs(t, err, ErrNoPython)
	require.ErrorContains(t, err,
		`the base image "`+h.host+`/plain:latest" has no Python: it contains no program python3.N: choose one with Python 3.9 or later`)
}

func TestMarkersAreThoseOfTheImage(t *testing.T) {
	needPip(t)
	index(t, map[string][]byte{
		"there-1.0-py3-none-any.whl":   wheel(t, "there", "1.0", "py3-none-any", "X = 1\n"),
		"nowhere-1.0-py3-none-any.whl": wheel(t, "nowhere", "1.0", "py3-none-any", "X = 1\n"),
	})
	h := newHub(t)
	b, _ := newTestBuilder(t, h, func(o *Options) {
		o.PythonBase = h.push(t, "future", func(c *v1.ConfigFile) {
			c.Architecture, c.Config.Env = "arm64", []string{"PYTHON_VERSION=3.99.1"}
		})
		o.Runner.Path = programFile(t, elf.EM_AARCH64)
	})
	files := twoNodes()
	files["requirements.txt"] = "there ; python_version >= '3.99' and platform_machine == 'aarch64'\nnowhere ; python_version < '3.99' or " +
		"sys_platform == 'darwin'\n"
	bundle := bundle(t, files)
	ref, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.NoError(t, err)
	content := contentOf(t, pull(t, ref))
	require.Contains(t, content, "krt-python/there.py")
	require.NotContains(t, content, "krt-python/nowhere.py")
}
