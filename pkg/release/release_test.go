package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files again")

// rendered is a release of this repository whose images are not built.
func rendered(t *testing.T) *release {
	t.Helper()
	r := &release{
		Options: Options{
			Version: "v1.2.3", Root: "../..", Dist: t.TempDir(), Repository: "registry.example.com/krt", URL: "https://example.com/v1.2.3",
			Platforms: []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"}, Log: io.Discard,
		},
		epoch: time.Unix(1_800_000_000, 0).UTC(), images: map[string]string{}, sums: map[string]string{},
	}
	for i, program := range onCluster() {
		r.images[program] = fmt.Sprintf("%s/%s@sha256:%064d", r.Repository, program, i)
	}
	for i, platform := range r.Platforms {
		r.sums[platform] = fmt.Sprintf("%064d", i)
	}
	return r
}

// golden compares a text to a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./pkg/release -update")
}

// objects reads YAML, by kind and name.
func objects(t *testing.T, text string) map[string]unstructured.Unstructured {
	t.Helper()
	all := map[string]unstructured.Unstructured{}
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		var o unstructured.Unstructured
		require.NoError(t, yaml.Unmarshal([]byte(document), &o.Object))
		if o.Object == nil {
			continue
		}
		key := strings.TrimSpace(fmt.Sprintf("%s %s/%s", o.GetKind(), o.GetNamespace(), o.GetName()))
		require.NotContains(t, all, key)
		all[key] = o
	}
	return all
}

func TestYAMLInstallsByDigest(t *testing.T) {
	r := rendered(t)
	require.NoError(t, r.manifests(t.Context()))
	var list strings.Builder
	for _, p := range parts() {
		text, err := os.ReadFile(filepath.Join(r.Dist, p.name+".yaml"))
		require.NoError(t, err)
		require.NotRegexp(t, programImage, string(text))
		fmt.Fprintf(&list, "%s.yaml\n", p.name)
		all := objects(t, string(text))
		for _, key := range slices.Sorted(keys(all)) {
			o := all[key]
			require.Equal(t, "v1.2.3", o.GetLabels()["app.kubernetes.io/version"], key)
			fmt.Fprintf(&list, "  %s\n", key)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "registry.example.com/krt") {
				fmt.Fprintf(&list, "  %s\n", strings.TrimSpace(line))
			}
		}
	}
	golden(t, "objects.txt", list.String())
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

func TestImageThatWasNotBuilt(t *testing.T) {
	r := rendered(t)
	delete(r.images, "store")
	require.EqualError(t, r.manifests(t.Context()), "600-store.yaml: there is no image of store")
}

func TestPackageManagers(t *testing.T) {
	r := rendered(t)
	require.NoError(t, r.packages(t.Context()))
	for _, name := range []string{"krt.yaml", "kn-krt.rb"} {
		text, err := os.ReadFile(filepath.Join(r.Dist, name))
		require.NoError(t, err)
		golden(t, name, string(text))
	}
	var log bytes.Buffer
	r.URL, r.Log, r.Dist = "", &log, t.TempDir()
	require.NoError(t, r.packages(t.Context()))
	require.Equal(t, "Nothing for krew and Homebrew: no address for downloads is given (RELEASE_URL).\n", log.String())
	require.NoFileExists(t, filepath.Join(r.Dist, "krt.yaml"))
}

// A second run makes the same bytes, in whatever order the files of an archive were made.
func TestArchivesAreReproducible(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	files := []file{{name: "b", content: []byte("B"), mode: 0o755}, {name: "a/c", content: []byte("C")}}
	for _, pack := range []func([]file, time.Time) ([]byte, error){tarGz, zipped} {
		one, err := pack(files, at)
		require.NoError(t, err)
		two, err := pack([]file{files[1], files[0]}, at)
		require.NoError(t, err)
		require.Equal(t, one, two)
	}
}

func TestPages(t *testing.T) {
	r := rendered(t)
	files, err := r.pages(t.Context())
	require.NoError(t, err)
	again, err := r.pages(t.Context())
	require.NoError(t, err)
	require.Equal(t, inOrder(files), inOrder(again))
	var names []string
	for _, f := range inOrder(files) {
		names = append(names, f.name)
		require.NotEmpty(t, f.content, f.name)
	}
	require.Contains(t, names, "completions/_kn-krt")
	require.Contains(t, names, "man/man1/kn-krt-create.1")
	require.Contains(t, names, "LICENSE")
	require.NoError(t, r.pack("linux", "amd64", "kn-krt", files))
	archive, err := os.ReadFile(filepath.Join(r.Dist, "kn-krt_v1.2.3_linux_amd64.tar.gz"))
	require.NoError(t, err)
	require.Equal(t, names, namesIn(t, archive))
}

func namesIn(t *testing.T, archive []byte) (names []string) {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	require.NoError(t, err)
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		require.NoError(t, err)
		names = append(names, header.Name)
	}
}

func TestImagesOfKo(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	var out string
	for _, program := range onCluster() {
		out += "localhost:5000/krt/" + program + ":v1.2.3" + digest + "\n"
	}
	images, err := imagesOf(out)
	require.NoError(t, err)
	require.Equal(t, "localhost:5000/krt/store"+digest, images["store"])
	_, err = imagesOf("localhost:5000/krt/store" + digest)
	require.EqualError(t, err, "ko built no image of controller")
	_, err = imagesOf("nothing")
	require.ErrorContains(t, err, "ko did not print an image")
}

// A program reads its version from git, so that only a clean commit with the tag is a release.
func TestOnlyATagIsARelease(t *testing.T) {
	root := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		c := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
		c.Dir = root
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	git("init", "-q", ".")
	git("commit", "-q", "--allow-empty", "-m", "Begin")
	check := func(version string) (*release, error) {
		r := &release{Options: Options{Version: version, Root: root, Dist: t.TempDir(), Repository: "example.com/krt", Log: io.Discard}}
		return r, r.check(t.Context())
	}
	_, err := check("1.2")
	require.EqualError(t, err, `"1.2" is not a version such as v0.1.0 or v0.1.0-rc.1`)
	_, err = check("v0.1.0")
	require.ErrorContains(t, err, "the commit must have the tag v0.1.0 and no other")
	git("tag", "v0.1.0")
	r, err := check("v0.1.0")
	require.NoError(t, err)
	require.NoError(t, r.notes(t.Context()))
	notes, err := os.ReadFile(filepath.Join(r.Dist, "NOTES.md"))
	require.NoError(t, err)
	require.Equal(t, "# kn-krt v0.1.0\n\nThe first release.\n", string(notes))
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	r, err = check("v0.1.0")
	require.NoError(t, err)
	require.Equal(t, "1970-01-02", r.epoch.Format(time.DateOnly))
	git("commit", "-q", "--allow-empty", "-m", "Continue")
	git("tag", "v0.2.0")
	r, err = check("v0.2.0")
	require.NoError(t, err)
	require.NoError(t, r.notes(t.Context()))
	notes, err = os.ReadFile(filepath.Join(r.Dist, "NOTES.md"))
	require.NoError(t, err)
	require.Equal(t, "# kn-krt v0.2.0\n\n1 commits since v0.1.0:\n\n- Continue\n", string(notes))
	require.NoError(t, os.WriteFile(filepath.Join(root, "new"), nil, 0o600))
	_, err = check("v0.2.0")
	require.ErrorContains(t, err, "files differ from the commit")
}

// What is there is removed before the release is written.
func TestARepositoryIsNotRemoved(t *testing.T) {
	root := filepath.Join(t.TempDir(), "repository")
	require.NoError(t, os.Mkdir(root, 0o755))
	for _, dist := range []string{root, filepath.Dir(root), "/"} {
		err := Make(t.Context(), Options{Version: "v1.2.3", Root: root, Dist: dist, Repository: "registry.example.com/krt"})
		require.ErrorContains(t, err, "the repository is in "+dist+",")
		require.DirExists(t, root)
	}
}

// Only what a release has written, also in part, is removed.
func TestFilesOfOthersAreNotRemoved(t *testing.T) {
	dist := filepath.Join(t.TempDir(), "dist")
	require.NoError(t, disposable(dist), "there is none")
	require.NoError(t, os.Mkdir(dist, 0o755))
	require.NoError(t, disposable(dist), "it is empty")
	require.NoError(t, os.WriteFile(filepath.Join(dist, "letter.txt"), nil, 0o644))
	err := Make(t.Context(), Options{Version: "v1.2.3", Root: t.TempDir(), Dist: dist, Repository: "registry.example.com/krt"})
	require.ErrorContains(t, err, dist+" is removed before it is written, and no release is in it")
	require.FileExists(t, filepath.Join(dist, "letter.txt"))
	require.NoError(t, os.WriteFile(filepath.Join(dist, "SHA256SUMS"), nil, 0o644))
	require.NoError(t, disposable(dist))
}
