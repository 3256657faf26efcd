package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image/artifact"
	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/example"
)

// hub is a registry that counts its requests, and may change its responses.
type hub struct {
	host   string
	asked  atomic.Int64
	change atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{}
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		if change := h.change.Load(); change == nil || !(*change)(w, r) {
			serve.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	h.host = strings.TrimPrefix(server.URL, "http://")
	return h
}

// push pushes an image and returns its reference.
func (h *hub) push(t *testing.T, image v1.Image) string {
	t.Helper()
	digest, err := image.Digest()
	require.NoError(t, err)
	ref, err := name.NewDigest(h.host + "/team/krt-nodes@" + digest.String())
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	return ref.Name()
}

type entry struct {
	tar.Header
	text string
}

func file(name, text string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}, text}
}

// pack returns a compressed tar.
func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	w := tar.NewWriter(zip)
	for _, e := range entries {
		require.NoError(t, w.WriteHeader(&e.Header))
		_, err := io.WriteString(w, e.text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zip.Close())
	return packed.Bytes()
}

func artifactOf(t *testing.T, entries ...entry) v1.Image {
	t.Helper()
	made, err := artifact.New(static.NewLayer(pack(t, entries...), artifact.LayerType))
	require.NoError(t, err)
	return made
}

func TestPull(t *testing.T) {
	h := newHub(t)
	ref := h.push(t, artifactOf(t, entry{tar.Header{Typeflag: tar.TypeDir, Name: "docs/"}, ""},
		file("docs/README.md", "# Hello"), file("metrics/dashboards/a.json", "{}"), file("assets/examples/price.json", "{}")))
	cache := artifact.Cache{}
	for range 3 {
		files, err := cache.Pull(t.Context(), ref)
		require.NoError(t, err)
		require.Equal(t, map[string][]byte{
			"docs/README.md": []byte("# Hello"), "metrics/dashboards/a.json": []byte("{}"), "assets/examples/price.json": []byte("{}"),
		}, files)
	}
	before := h.asked.Load()
	_, err := cache.Pull(t.Context(), ref)
	require.NoError(t, err)
	require.Equal(t, before, h.asked.Load(), "it is read from the cache")
}

func TestPullNamesTheRegistryThatDenies(t *testing.T) {
	h := newHub(t)
	ref := h.push(t, artifactOf(t, file("docs/README.md", "# Hello")))
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		for _, path := range []string{"", "/blobs/"} {
			deny := func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, path) {
					w.WriteHeader(status)
				}
				return strings.Contains(r.URL.Path, path)
			}
			h.change.Store(&deny)
			_, err := artifact.Pull(t.Context(), ref, artifact.Options{})
			var denied *artifact.DeniedError
			require.ErrorAs(t, err, &denied, "%d %q", status, path)
			require.Equal(t, h.host, denied.Registry)
			require.True(t, denied.Anonymous)
			require.ErrorContains(t, err, "registry "+h.host+" wants credentials, and there are none for it")
		}
	}
}

// Open pages ask again and again: a registry that fails is not asked as often.
func TestAFailureCountsForAPause(t *testing.T) {
	h := newHub(t)
	ref := h.push(t, artifactOf(t, file("docs/README.md", "# Hello")))
	broken := func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	h.change.Store(&broken)
	cache := artifact.Cache{Pause: time.Hour}
	_, failed := cache.Pull(t.Context(), ref)
	require.Error(t, failed)
	before := h.asked.Load()
	h.change.Store(nil)
	_, err := cache.Pull(t.Context(), ref)
	require.Equal(t, failed, err)
	require.Equal(t, before, h.asked.Load(), "nothing was requested")
	cache.Pause = 0
	_, err = cache.Pull(t.Context(), ref)
	require.NoError(t, err)
}

func TestOnlyArtifactsArePulled(t *testing.T) {
	h := newHub(t)
	layer := static.NewLayer(pack(t, file("docs/a.md", "a")), artifact.LayerType)
	image, err := mutate.AppendLayers(empty.Image, layer)
	require.NoError(t, err)
	_, err = artifact.Pull(t.Context(), h.push(t, image), artifact.Options{})
	require.ErrorContains(t, err, "it is not an artifact with the files of a version")

	elsewhere, err := mutate.Append(mutate.ConfigMediaType(empty.Image, artifact.Type),
		mutate.Addendum{Layer: layer, MediaType: artifact.LayerType, URLs: []string{"http://" + h.host + "/secret"}})
	require.NoError(t, err)
	_, err = artifact.Pull(t.Context(), h.push(t, elsewhere), artifact.Options{})
	require.ErrorContains(t, err, "it is not an artifact with the files of a version")

	for _, only := range [][]string{{}, {"registry.example.com"}, {h.host + "/tea"}, {h.host + "/team/krt-nodes/x"}} {
		ref := h.push(t, artifactOf(t, file("docs/a.md", "a")))
		before := h.asked.Load()
		_, err = artifact.Pull(t.Context(), ref, artifact.Options{Only: only})
		require.ErrorContains(t, err, "this registry is not one of those that are read")
		require.Equal(t, before, h.asked.Load(), "nothing was requested")
	}
	_, err = artifact.Pull(t.Context(), h.push(t, artifactOf(t, file("docs/a.md", "a"))), artifact.Options{Only: []string{h.host + "/team/"}})
	require.NoError(t, err)

	_, err = artifact.Pull(t.Context(), h.host+"/team/krt-nodes:tag", artifact.Options{})
	require.ErrorContains(t, err, "it is not a reference by digest")

	digest := "@sha256:" + strings.Repeat("0", 64)
	for _, registry := range []string{"a.example.com;reboot;.local", "$(reboot).local", "a'b.local", "a&b.local"} {
		_, err = artifact.Pull(t.Context(), registry+"/team/x"+digest, artifact.Options{Transport: noTransport{}})
		require.ErrorContains(t, err, "it is not a reference by digest", registry)
	}
	for _, registry := range []string{"registry-1.example.com:5000", "[::1]:5000", "a_b.local"} {
		_, err = artifact.Pull(t.Context(), registry+"/team/x"+digest, artifact.Options{Transport: noTransport{}})
		require.ErrorIs(t, err, errNothing, registry)
	}
}

// held carries nothing until it is released.
type held struct {
	carried  atomic.Int64
	released chan struct{}
}

func (h *held) RoundTrip(*http.Request) (*http.Response, error) {
	h.carried.Add(1)
	<-h.released
	return nil, errNothing
}

// However many versions' pages are opened, a few artifacts are in memory at a time.
func TestFewArtifactsArriveAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &held{released: make(chan struct{})}
		c := &artifact.Cache{Options: artifact.Options{Transport: h}}
		const all = 20
		failed := make(chan error, all)
		for i := range all {
			go func() {
				_, err := c.Pull(t.Context(), fmt.Sprintf("a.example.com/team/x@sha256:%064d", i))
				failed <- err
			}()
		}
		synctest.Wait()
		require.Equal(t, int64(4), h.carried.Load())
		close(h.released)
		for range all {
			require.ErrorIs(t, <-failed, errNothing)
		}
	})
}

// noTransport carries nothing.
type noTransport struct{}

var errNothing = errors.New("nothing is carried")

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errNothing }

// What a registry sends is what was pushed, or an error.
func TestContentIsVerified(t *testing.T) {
	for what, path := range map[string]string{"the layer": "/blobs/", "the manifest": "/manifests/"} {
		t.Run(what, func(t *testing.T) {
			h := newHub(t)
			ref := h.push(t, artifactOf(t, file("docs/README.md", "# Hello")))
			other := pack(t, file("docs/README.md", "# Other"))
			change := func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, path) {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = w.Write(other)
				return true
			}
			h.change.Store(&change)
			cache := artifact.Cache{}
			_, err := cache.Pull(t.Context(), ref)
			require.ErrorContains(t, err, "cannot read the files of the version")
			h.change.Store(nil)
			_, err = cache.Pull(t.Context(), ref)
			require.NoError(t, err, "a failure is not kept")
		})
	}
}

func TestReadRefuses(t *testing.T) {
	many := make([]entry, artifact.MaxFiles+1)
	for i := range many {
		many[i] = file("docs/"+strings.Repeat("a", i%200+1)+strings.Repeat("b", i/200+1), "")
	}
	for what, c := range map[string]struct {
		entries []entry
		want    string
	}{
		"a link": {[]entry{{tar.Header{Typeflag: tar.TypeSymlink, Name: "docs/a", Linkname: "/etc/passwd"}, ""}},
			`"docs/a" is not a file`},
		"another asset":  {[]entry{file("assets/rates.json", "")}, `"assets/rates.json" is not the path of a file`},
		"another folder": {[]entry{file("src/main.py", "")}, `"src/main.py" is not the path of a file below docs/ or metrics/`},
		"a way out":      {[]entry{file("docs/../../etc/passwd", "")}, `is not the path of a file below docs/ or metrics/`},
		"an absolute":    {[]entry{file("/docs/a", "")}, `is not the path of a file below docs/ or metrics/`},
		"a long path":    {[]entry{file("docs/"+strings.Repeat("a", 251), "")}, `is not the path of a file`},
		"one twice":      {[]entry{file("docs/a", "1"), file("docs/a", "2")}, `"docs/a" is there twice`},
		"many files":     {many, "docs/, metrics/ and assets/examples/ have more than 500 files"},
		"large files": {[]entry{file("docs/a", strings.Repeat("0", artifact.MaxBytes)), file("docs/b", "1")},
			"docs/, metrics/ and assets/examples/ have more than 16 MiB"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := artifact.Read(bytes.NewReader(pack(t, c.entries...)))
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := artifact.Read(strings.NewReader("no gzip"))
	require.Error(t, err)
}

// A small layer may announce much: what follows the files is not read to its end.
func TestReadEndsAfterABomb(t *testing.T) {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(t, err)
	w := tar.NewWriter(zip)
	require.NoError(t, w.Close())
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, err := zip.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, zip.Close())
	_, err = artifact.Read(&packed)
	require.ErrorContains(t, err, "more than their limit")
}

func TestPick(t *testing.T) {
	bundle := fstest.MapFS{
		"krt.yml": {}, "docs/README.md": {}, "docs/img/a.png": {}, "docs": {Mode: fs.ModeDir}, "metrics/dashboards/a.json": {},
		"docsx/a.md": {}, "models/large": {Data: make([]byte, 100)},
		"assets/examples/price.json": {}, "assets/examples/large.json": {Data: make([]byte, example.MaxBytes+1)}, "assets/rates.json": {},
	}
	var files []archive.File
	require.NoError(t, fs.WalkDir(bundle, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			require.NoError(t, err)
			files = append(files, archive.File{Name: name, Info: info})
		}
		return err
	}))
	picked, err := artifact.Pick(files)
	require.NoError(t, err)
	var names []string
	for _, f := range picked {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"assets/examples/price.json", "docs/README.md", "docs/img/a.png", "metrics/dashboards/a.json"}, names)

	large, err := bundle.Stat("models/large")
	require.NoError(t, err)
	for range artifact.MaxFiles {
		files = append(files, archive.File{Name: "docs/more", Info: large})
	}
	_, err = artifact.Pick(files)
	var limit *artifact.LimitError
	require.ErrorAs(t, err, &limit)
}

func FuzzRead(f *testing.F) {
	f.Add(pack(f, file("docs/README.md", "# Hello"), file("metrics/a", "")))
	f.Add(pack(f, entry{tar.Header{Typeflag: tar.TypeLink, Name: "docs/a", Linkname: "b"}, ""}))
	f.Fuzz(func(t *testing.T, packed []byte) {
		files, err := artifact.Read(bytes.NewReader(packed))
		size := 0
		for name, content := range files {
			require.True(t, fs.ValidPath(name))
			size += len(content)
		}
		require.LessOrEqual(t, size, artifact.MaxBytes)
		require.LessOrEqual(t, len(files), artifact.MaxFiles)
		if err != nil {
			require.Nil(t, files)
		}
	})
}
