package image

import (
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

func TestPythonNode(t *testing.T) {
	h := newHub(t)
	b, events := newTestBuilder(t, h, nil)
	bundle := bundle(t, twoNodes())
	ref, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.NoError(t, err)
	require.Regexp(t, `^`+h.host+`/team/krt-nodes@sha256:[0-9a-f]{64}$`, ref)

	image := pull(t, ref)
	files := contentOf(t, image)
	require.Equal(t, []string{
		"ko-app/", "ko-app/runner", "krt-files/", "krt-files/krt.yml", "krt-files/models/", "krt-files/models/room.json",
		"krt-files/public_input.proto", "krt-files/src/", "krt-files/src/etl/", "krt-files/src/etl/features.py",
		"krt-files/src/etl/main.py", "krt-files/src/shared/", "krt-files/src/shared/help.py",
	}, slices.Sorted(maps.Keys(files)))
	require.Equal(t, "644 "+handler, files["krt-files/src/etl/main.py"])
	require.True(t, strings.HasPrefix(files["ko-app/runner"], "755 "))
	config := configOf(t, image)
	require.Equal(t, v1.Config{
		Entrypoint: []string{"/ko-app/runner", "__runner"}, WorkingDir: "/krt-files", User: "65532:65532",
		Env: []string{"PYTHON_VERSION=3.11.7", "KRT_BASE_PATH=/krt-files", "KRT_HANDLER_PATH=src/etl/main.py", "PATH=/usr/bin:/ko-app"},
	}, config)
	manifest, err := image.Manifest()
	require.NoError(t, err)
	require.Equal(t, h.host+"/base/python:latest", manifest.Annotations["org.opencontainers.image.base.name"])
	require.Equal(t, ref, events.of(EventDone)[0].Image)
}

func TestBaseThatHasTheRunner(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, func(o *Options) {
		o.Runner = Program{}
		o.PythonBase = h.push(t, "runner", func(c *v1.ConfigFile) {
			c.Config.Entrypoint, c.Config.User = []string{"/ko-app/runner"}, "1000"
		})
	})
	bundle := bundle(t, twoNodes())
	ref, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.NoError(t, err)
	config := configOf(t, pull(t, ref))
	require.Equal(t, []string{"/ko-app/runner"}, config.Entrypoint)
	require.Equal(t, "1000", config.User, "a number that is not root's stays")
	require.NotContains(t, contentOf(t, pull(t, ref)), "ko-app/runner")
}

func TestWhichBase(t *testing.T) {
	o := Options{GoBase: "go:1", PythonBase: "python:1", Bases: map[string]string{
		"konstellation/kre-py:2.0.0": "python:2", "konstellation/cuda": "cuda:1", "ghcr.io/me/own": "own:2",
	}}
	bundle := bundle(t, twoNodes())
	for image, want := range map[string]string{
		"konstellation/kre-py:1.23.1":           "python:1",
		"konstellation/kre-py":                  "python:1",
		"docker.io/konstellation/kre-py:1.23.1": "python:1",
		"konstellation/kre-py:2.0.0":            "python:2",
		"localhost:5000/konstellation/cuda:9":   "cuda:1",
		"ghcr.io/me/own:1":                      "own:2",
		"ghcr.io/me/other:1":                    "ghcr.io/me/other:1",
	} {
		n := node(t, bundle, "etl")
		n.Image = image
		got, more := o.baseName(bundle, n)
		require.Equal(t, want, got, image)
		require.Empty(t, more)
	}
	got, more := Options{}.baseName(bundle, node(t, bundle, "etl"))
	require.Equal(t, DefaultPythonBase, got)
	require.Equal(t, []string{"protobuf"}, more, "that base has none")
}

func TestNodeWithoutCodeIsItsImage(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	bundle := bundle(t, map[string]string{"krt.yml": manifest("{name: big, image: 'ghcr.io/me/model:1'}")})
	images, err := b.BuildAll(t.Context(), bundle)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"big": "ghcr.io/me/model:1"}, images)
	require.Empty(t, h.asked(""))
}

func TestSameBundleSameDigest(t *testing.T) {
	h := newHub(t)
	files := twoNodes()
	files["krt.yml"] = manifest(
		"{name: etl, image: 'konstellation/kre-py:1.23.1', src: src/etl/main.py}",
		"{name: model, image: 'konstellation/kre-py:1.23.1', src: src/model/main.py}",
		"{name: step, image: 'konstellation/kre-go:1.9.0', src: src/step}",
		"{name: old, image: 'konstellation/kre-go:1.9.0', src: bin/old}")
	files["src/step/main.go"] = goNode
	bases := map[string]string{"go": h.push(t, "g", nil), "python": h.push(t, "p", nil)}
	var first map[string]string
	for range 2 {
		b, _ := newTestBuilder(t, h, func(o *Options) { o.GoBase, o.PythonBase = bases["go"], bases["python"] })
		dir := t.TempDir()
		write(t, dir, map[string]string{"public_input.proto": proto, "bin/old": "\x7fELF"})
		program, err := os.ReadFile(b.o.Runner.Path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "bin/old"), program, 0o755))
		require.NoError(t, os.Chmod(filepath.Join(dir, "bin/old"), 0o700))
		write(t, dir, files)
		images, err := b.BuildAll(t.Context(), load(t, dir))
		require.NoError(t, err)
		require.Len(t, images, 4)
		if first == nil {
			first = images
		}
		require.Equal(t, first, images, "whatever the folders, caches and permissions")
	}
}

func TestOnlyWhatChangedIsPushed(t *testing.T) {
	h := newHub(t)
	b, events := newTestBuilder(t, h, nil)
	bundle := bundle(t, twoNodes())
	_, err := b.BuildAll(t.Context(), bundle)
	require.NoError(t, err)
	require.Len(t, h.asked("PATCH"), 5+2+4,
		"runner, models, shared, two nodes' code; their configs; their SBOMs. None twice, the base not at all")

	// Another process: nothing is remembered but what the registry and the cache have.
	again, err := New(b.o)
	require.NoError(t, err)
	events.events = nil
	_, err = again.BuildAll(t.Context(), bundle)
	require.NoError(t, err)
	require.Empty(t, h.asked("PATCH"))
	for _, e := range events.of(EventDone) {
		require.Zero(t, e.Sent)
	}

	write(t, bundle.Dir, map[string]string{"src/etl/main.py": "# changed\n" + handler})
	again, err = New(b.o)
	require.NoError(t, err)
	events.events = nil
	_, err = again.BuildAll(t.Context(), bundle)
	require.NoError(t, err)
	var sent []string
	for _, e := range events.of(EventDone) {
		if e.Sent > 0 {
			sent = append(sent, e.Node)
			t.Logf("a change of code sends %d bytes", e.Sent)
			require.Less(t, e.Sent, int64(600))
		}
	}
	require.Equal(t, []string{"etl"}, sent)
	require.Len(t, h.asked("PATCH"), 1+1+2, "the node's code, the image's config, and the SBOM of the new image")

	model := make([]byte, 1<<20)
	_, _ = rand.Read(model) // never fails (crypto/rand)
	write(t, bundle.Dir, map[string]string{"models/room.json": string(model)})
	again, err = New(b.o)
	require.NoError(t, err)
	events.events = nil
	_, err = again.BuildAll(t.Context(), bundle)
	require.NoError(t, err)
	require.Len(t, h.asked("PATCH"), 1+2+4, "the models, once; the images' configs and SBOMs")
}

func TestBaseOfAnotherRegistryIsCopied(t *testing.T) {
	h, other := newHub(t), newHub(t)
	b, events := newTestBuilder(t, h, func(o *Options) { o.PythonBase = other.push(t, "python", nil) })
	bundle := bundle(t, twoNodes())
	_, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.NoError(t, err)
	require.NotEmpty(t, other.asked("GET", "/blobs/"))
	require.Greater(t, events.of(EventDone)[0].Sent, int64(4000), "two layers of random bytes")
}

func TestLayersOfTheBaseAreNotPulled(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	bundle := bundle(t, twoNodes())
	_, err := b.Build(t.Context(), bundle, node(t, bundle, "etl"))
	require.NoError(t, err)
	require.Len(t, h.asked("GET", "/blobs/"), 1, "the base's config")
}

func TestPlatforms(t *testing.T) {
	h := newHub(t)
	index := mutate.IndexMediaType(empty.Index, "application/vnd.oci.image.index.v1+json")
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := random.Image(1000, 2)
		require.NoError(t, err)
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: rootFS(t, image)})
		require.NoError(t, err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	ref, err := name.ParseReference(h.host + "/multi")
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(ref, index))
	bundle := bundle(t, map[string]string{
		"krt.yml":          manifest("{name: step, image: 'konstellation/kre-go:1.9.0', src: src/step}"),
		"src/step/main.go": goNode,
	})
	build := func(platforms ...string) (string, error) {
		b, _ := newTestBuilder(t, h, func(o *Options) { o.GoBase, o.Platforms = ref.Name(), platforms })
		return b.Build(t.Context(), bundle, node(t, bundle, "step"))
	}

	one, err := build()
	require.NoError(t, err)
	file, err := pull(t, one).ConfigFile()
	require.NoError(t, err)
	require.Equal(t, "amd64", file.Architecture)

	both, err := build("linux/amd64", "linux/arm64")
	require.NoError(t, err)
	digest, err := name.NewDigest(both)
	require.NoError(t, err)
	made, err := remote.Index(digest)
	require.NoError(t, err)
	list, err := made.IndexManifest()
	require.NoError(t, err)
	require.Len(t, list.Manifests, 2)
	require.Equal(t, "arm64", list.Manifests[1].Platform.Architecture)
	require.True(t, strings.HasSuffix(one, list.Manifests[0].Digest.String()), "the same image as alone")

	_, err = build("linux/s390x")
	require.EqualError(t, err, `cannot make the image of node "step": base image "`+ref.Name()+
		`" is not available for linux/s390x: it is available for linux/amd64, linux/arm64; choose one of these platforms, or another base image`)
}

func rootFS(t *testing.T, image v1.Image) v1.RootFS {
	t.Helper()
	file, err := image.ConfigFile()
	require.NoError(t, err)
	return file.RootFS
}
