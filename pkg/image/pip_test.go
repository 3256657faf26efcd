package image

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/image/pip"
	"krt.dev/kn-krt/pkg/requirement"
)

// wheel makes a package of one module, pure or for a machine.
func wheel(t *testing.T, name, version, tag, module string) []byte {
	t.Helper()
	var file bytes.Buffer
	archive := zip.NewWriter(&file)
	info := name + "-" + version + ".dist-info/"
	for _, entry := range [][2]string{
		{name + ".py", module},
		{info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n"},
		{info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: " + tag + "\n"},
		{info + "entry_points.txt", "[console_scripts]\n" + name + " = " + name + ":main\n"},
		{info + "RECORD", fmt.Sprintf("%s.py,,\n%sMETADATA,,\n%sWHEEL,,\n%sentry_points.txt,,\n%sRECORD,,\n", name, info, info, info, info)},
	} {
		w, err := archive.Create(entry[0])
		require.NoError(t, err)
		_, err = io.WriteString(w, entry[1])
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return file.Bytes()
}

// index serves wheels as PEP 503 has it, and makes pip use it and nothing else.
func index(t *testing.T, wheels map[string][]byte) (asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if content, ok := wheels[strings.TrimPrefix(r.URL.Path, "/files/")]; ok {
			_, _ = w.Write(content)
			return
		}
		project, ok := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, "/"), "/simple/")
		found := false
		for file, content := range wheels {
			if ok && strings.HasPrefix(file, strings.ReplaceAll(project, "-", "_")+"-") {
				found = true
				_, _ = fmt.Fprintf(w, "<a href=\"/files/%s#sha256=%x\">%s</a>\n", file, sha256.Sum256(content), file)
			}
		}
		if !found {
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	pipSettings(t, server.URL+"/simple/")
	return asked
}

func pipSettings(t *testing.T, index string) {
	t.Helper()
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	t.Setenv("PIP_INDEX_URL", index)
	t.Setenv("PIP_EXTRA_INDEX_URL", "")
	t.Setenv("PIP_NO_CACHE_DIR", "1")
	t.Setenv("PIP_FIND_LINKS", "")
	for _, proxy := range []string{"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"} {
		t.Setenv(proxy, "")
	}
}

// needPip skips where there is no pip, and returns the Python that has it.
func needPip(t *testing.T) string {
	t.Helper()
	python, err := pip.Installer{}.Find(context.Background(), t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	return python
}

func TestRequirements(t *testing.T) {
	needPip(t)
	asked := index(t, map[string][]byte{
		"tiny-1.0-py3-none-any.whl":                       wheel(t, "tiny", "1.0", "py3-none-any", "X = 1\n"),
		"fast-2.0-cp311-cp311-manylinux_2_17_x86_64.whl":  wheel(t, "fast", "2.0", "cp311-cp311-manylinux_2_17_x86_64", "FOR = 'x86'\n"),
		"fast-2.0-cp311-cp311-manylinux_2_17_aarch64.whl": wheel(t, "fast", "2.0", "cp311-cp311-manylinux_2_17_aarch64", "FOR = 'arm'\n"),
		"fast-2.0-cp39-cp39-macosx_11_0_x86_64.whl":       wheel(t, "fast", "2.0", "cp39-cp39-macosx_11_0_x86_64", "FOR = 'mac'\n"),
	})
	h := newHub(t)
	files := twoNodes()
	files["requirements.txt"] = "tiny==1.0\n"
	files["src/etl/requirements.txt"] = "-r ../../requirements.txt\nfast\n./wheels/local-3.0-py3-none-any.whl\n"
	files["src/etl/wheels/local-3.0-py3-none-any.whl"] = string(wheel(t, "local", "3.0", "py3-none-any", "Z = 3\n"))
	var first map[string]string
	base := h.push(t, "python", func(c *v1.ConfigFile) { c.Config.Env = []string{"PYTHON_VERSION=3.11.7", "PYTHONPATH=/opt/site"} })
	var cache string
	for range 2 { // in two caches: what pip makes must not differ
		b, events := newTestBuilder(t, h, func(o *Options) { o.PythonBase = base })
		cache = b.o.Cache
		images, err := b.BuildAll(t.Context(), bundle(t, files))
		require.NoError(t, err)
		require.Len(t, events.of(EventInstalling), 2)
		if first == nil {
			first = images
		}
		require.Equal(t, first, images, "whatever the cache and the folder")
	}
	image := pull(t, first["etl"])
	content := contentOf(t, image)
	require.Equal(t, "644 X = 1\n", content["krt-python/tiny.py"])
	require.Equal(t, "644 FOR = 'x86'\n", content["krt-python/fast.py"])
	require.Equal(t, "644 Z = 3\n", content["krt-python/local.py"])
	require.NotContains(t, content, "krt-python/bin/tiny", "it names this machine's interpreter")
	require.NotContains(t, content["krt-python/tiny-1.0.dist-info/RECORD"], "bin/")
	require.Contains(t, configOf(t, image).Env, "PYTHONPATH=/krt-python:/opt/site")
	if _, ok := (pip.Installer{}).Matching(t.Context(), "3.11"); ok {
		require.Contains(t, content, "krt-python/__pycache__/fast.cpython-311.pyc", "a pod compiles nothing that it imports")
	}
	requireComponent(t, first["etl"], "fast")

	other := contentOf(t, pull(t, first["model"]))
	require.Contains(t, other, "krt-python/tiny.py", "the bundle's own requirements hold for nodes that have none")
	require.NotContains(t, other, "krt-python/fast.py")

	// What was fetched once needs no network again.
	asked.Store(0)
	pipSettings(t, "http://127.0.0.1:1/simple/")
	b, events := newTestBuilder(t, h, func(o *Options) { o.PythonBase, o.Cache = base, cache })
	again, err := b.BuildAll(t.Context(), bundle(t, files))
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Empty(t, events.of(EventInstalling))
	require.Zero(t, asked.Load())
}

// Bytecode that cannot be made fails no image, and what was made once is there for every registry.
func TestBytecodeIsKept(t *testing.T) {
	python := needPip(t)
	index(t, map[string][]byte{"tiny-1.0-py3-none-any.whl": wheel(t, "tiny", "1.0", "py3-none-any", "X = 1\n")})
	program := filepath.Join(t.TempDir(), "python")
	compiles := func(with string) {
		script := fmt.Sprintf("#!/bin/sh\ncase $1 in\n-I) echo 'cpython 3.11 final 3.11.0'; exit;;\n-S) %s;;\nesac\nexec %q \"$@\"\n",
			with, python)
		require.NoError(t, os.WriteFile(program, []byte(script), 0o700))
	}
	files := twoNodes()
	files["src/etl/requirements.txt"] = "tiny==1.0\n"
	bundle, kept := bundle(t, files), t.TempDir()
	build := func() (bytecode string, events *told) {
		b, events := newTestBuilder(t, newHub(t), func(o *Options) { o.Python, o.Cache = program, kept })
		ref, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
		require.NoError(t, err)
		for name, text := range contentOf(t, pull(t, ref)) {
			if strings.HasPrefix(name, "krt-python/__pycache__/tiny.") {
				bytecode = text
			}
		}
		return bytecode, events
	}
	const broken = "echo no memory >&2; exit 1"
	compiles(broken)
	none, events := build()
	require.Empty(t, none)
	require.Equal(t, "the packages that it requires are not compiled, so pods start later: "+program+": no memory",
		events.of(EventWarning)[0].Text)
	compiles("")
	made, events := build()
	require.NotEmpty(t, made)
	require.Empty(t, events.of(EventWarning))
	compiles(broken)
	again, events := build()
	require.Equal(t, made, again)
	require.Empty(t, events.of(EventWarning))
}

func TestRequirementErrors(t *testing.T) {
	needPip(t)
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	files := twoNodes()
	files["src/etl/requirements.txt"] = "absent==9\n"
	bundle := bundle(t, files)

	index(t, nil)
	_, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.ErrorContains(t, err, `cannot make the image of node "etl": cannot get what "src/etl/requirements.txt" requires: pip: `)
	require.ErrorContains(t, err, "No matching distribution found for absent==9 (wheels for Python 3.11 on linux/amd64 are needed)")

	pipSettings(t, "http://127.0.0.1:1/simple/")
	_, err = b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.ErrorIs(t, err, pip.ErrNoIndex)
	require.ErrorContains(t, err, "set PIP_INDEX_URL to an index that can be reached")

	b.o.Python = "/nowhere/python3"
	_, err = b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.ErrorIs(t, err, pip.ErrNoPip)
	require.ErrorContains(t, err, "(tried /nowhere/python3)")
}

// What refuses lines that lead to a build may miss one: pip itself starts no program.
func TestPipBuildsNothing(t *testing.T) {
	needPip(t)
	index(t, nil)
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	bundle := bundle(t, twoNodes())
	s, err := b.session(t.Context(), bundle)
	require.NoError(t, err)
	defer s.close()
	source, canary := t.TempDir(), filepath.Join(t.TempDir(), "canary")
	write(t, source, map[string]string{
		"pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'evil'\nbackend-path = ['.']\n",
		"evil.py":        "open(" + strconv.Quote(canary) + ", 'w')\n",
	})
	for _, line := range []string{"git+file://" + source, source, "evil @ file://" + source} {
		list := &requirement.List{Items: []requirement.Item{{Name: line}}}
		err = s.installer().Install(t.Context(), pip.Set{List: list, Version: "3.11", Platform: v1.Platform{OS: "linux", Architecture: "amd64"}},
			t.TempDir())
		require.Error(t, err)
		require.NoFileExists(t, canary, line)
	}
	require.ErrorContains(t, err, "from a URL of its own")
}

func TestPythonVersionOfABase(t *testing.T) {
	h := newHub(t)
	for name, c := range map[string]struct {
		env, want string
		programs  []string
	}{
		"environment":       {"PYTHON_VERSION=3.13.1", "3.13", nil},
		"interpreter":       {"X=1", "3.11", []string{"usr/bin/python3", "usr/bin/python3.11", "usr/lib/python3.9"}},
		"own before system": {"X=1", "3.12", []string{"usr/local/bin/python3.12", "usr/bin/python3.11"}},
		"none":              {"X=1", "", []string{"usr/bin/perl"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newTestBuilder(t, h, nil)
			s, err := b.session(t.Context(), bundle(t, twoNodes()))
			require.NoError(t, err)
			s.memo = newMemo()
			made, err := s.layers.Blob(t.Context(), "", func(ctx context.Context, w io.Writer) error {
				tree := layer.NewTree(ctx, w)
				for _, p := range c.programs {
					require.NoError(t, tree.Folder(p)) // only the name counts
				}
				return tree.Close()
			})
			require.NoError(t, err)
			image, err := mutate.AppendLayers(empty.Image, made.In(t.Context(), "application/vnd.docker.image.rootfs.diff.tar.gzip",
				new(atomic.Int64)))
			require.NoError(t, err)
			ref := h.pushImage(t, "versions", image, func(f *v1.ConfigFile) { f.Config.Env = []string{c.env} })
			bases, err := s.bases(t.Context(), ref)
			require.NoError(t, err)
			for range 2 { // once read, once remembered
				version, err := s.pythonVersion(t.Context(), bases[0])
				if c.want == "" {
					require.ErrorIs(t, err, ErrNoPython)
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.want, version)
				s.memo = newMemo()
			}
		})
	}
}
