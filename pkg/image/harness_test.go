package image

import (
	"archive/tar"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// hub is a registry on this machine that remembers what it was asked.
type hub struct {
	host    string
	mu      sync.Mutex
	calls   []string // "HEAD /v2/…"
	refuse  int      // status for all, if not 0
	handler http.Handler
	has     map[string]bool // repository and digest: the handler knows no repositories
}

func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), has: map[string]bool{}}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.host = strings.TrimPrefix(server.URL, "http://")
	return h
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.calls = append(h.calls, r.Method+" "+r.URL.RequestURI())
	refuse := h.refuse
	h.mu.Unlock()
	if refuse != 0 {
		http.Error(w, `{"errors": [{"code": "DENIED", "message": "not for you"}]}`, refuse)
		return
	}
	if !h.ownBlobs(w, r) {
		h.handler.ServeHTTP(w, r)
	}
}

// ownBlobs makes a blob be in those repositories only that it was pushed to or mounted in.
func (h *hub) ownBlobs(w http.ResponseWriter, r *http.Request) (answered bool) {
	repo, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
	if !ok {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	query := r.URL.Query()
	switch digest := query.Get("digest"); {
	case digest != "":
		h.has[repo+digest] = true
	case query.Get("mount") != "" && h.has[query.Get("from")+query.Get("mount")]:
		h.has[repo+query.Get("mount")] = true
		w.WriteHeader(http.StatusCreated)
		return true
	case r.Method == http.MethodHead && !h.has[repo+rest]:
		w.WriteHeader(http.StatusNotFound)
		return true
	}
	return false
}

// asked returns and forgets the calls that hold all of words.
func (h *hub) asked(words ...string) (calls []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, call := range h.calls {
		ok := true
		for _, word := range words {
			ok = ok && strings.Contains(call, word)
		}
		if ok {
			calls = append(calls, call)
		}
	}
	h.calls = nil
	return calls
}

// push puts an image for the platform into the registry and returns its reference.
func (h *hub) push(t testing.TB, path string, change func(*v1.ConfigFile)) string {
	t.Helper()
	image, err := random.Image(2000, 2)
	require.NoError(t, err)
	return h.pushImage(t, path, image, change)
}

func (h *hub) pushImage(t testing.TB, path string, image v1.Image, change func(*v1.ConfigFile)) string {
	t.Helper()
	config, err := image.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	if change != nil {
		change(config)
	}
	image, err = mutate.ConfigFile(image, config)
	require.NoError(t, err)
	ref, err := name.ParseReference(h.host + "/" + path)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, image))
	return ref.Name()
}

// pull returns an image that was pushed.
func pull(t testing.TB, ref string) v1.Image {
	t.Helper()
	parsed, err := name.NewDigest(ref)
	require.NoError(t, err)
	image, err := remote.Image(parsed)
	require.NoError(t, err)
	return image
}

// contentOf returns the files of the image's layers above the base's two, by name; folders end
// in a slash.
func contentOf(t testing.TB, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	require.NoError(t, err)
	files := map[string]string{}
	for _, l := range layers[2:] {
		content, err := l.Uncompressed()
		require.NoError(t, err)
		archive := tar.NewReader(content)
		for {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			require.Zero(t, header.ModTime.Unix())
			require.Zero(t, header.Uid)
			text, err := io.ReadAll(archive)
			require.NoError(t, err)
			files[header.Name] = fmt.Sprintf("%o %s", header.Mode, text)
		}
	}
	return files
}

// config returns what the image says of how to run it.
func configOf(t testing.TB, image v1.Image) v1.Config {
	t.Helper()
	file, err := image.ConfigFile()
	require.NoError(t, err)
	return file.Config
}

// newTestBuilder returns a builder with bases in h, and what it tells.
func newTestBuilder(t testing.TB, h *hub, change func(*Options)) (*Builder, *told) {
	t.Helper()
	events := &told{}
	o := Options{
		Repo: h.host + "/team", Cache: t.TempDir(), Progress: events.add,
		Runner: Program{Path: programFile(t, elf.EM_X86_64), Args: []string{"__runner"}},
	}
	if change != nil {
		change(&o)
	}
	if o.GoBase == "" {
		o.GoBase = h.push(t, "base/go", nil)
	}
	if o.PythonBase == "" {
		o.PythonBase = h.push(t, "base/python", func(c *v1.ConfigFile) {
			c.Config.Env = []string{"PATH=/usr/bin", "PYTHON_VERSION=3.11.7"}
		})
	}
	b, err := New(o)
	require.NoError(t, err)
	h.asked()
	return b, events
}

// told keeps events.
type told struct {
	mu     sync.Mutex
	events []Event
}

func (l *told) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *told) of(kind EventType) (found []Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	return found
}

// programFile writes the header of a static program for the machine.
func programFile(t testing.TB, machine elf.Machine) string {
	t.Helper()
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS], header.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	file, err := os.Create(filepath.Join(t.TempDir(), "program"))
	require.NoError(t, err)
	require.NoError(t, binary.Write(file, binary.LittleEndian, header))
	require.NoError(t, file.Chmod(0o755))
	require.NoError(t, file.Close())
	return file.Name()
}

const handler = "def handler(ctx, data):\n    return data\n"

// twoNodes is a bundle with two Python nodes, models and a helper.
func twoNodes() map[string]string {
	return map[string]string{
		"krt.yml": manifest(
			"{name: etl, image: 'konstellation/kre-py:1.23.1', src: src/etl/main.py}",
			"{name: model, image: 'konstellation/kre-py:1.23.1', src: src/model/main.py}"),
		"src/etl/main.py":     handler,
		"src/etl/features.py": "X = 1\n",
		"src/model/main.py":   handler,
		"src/shared/help.py":  "Y = 2\n",
		"models/room.json":    "{}",
	}
}

// manifest returns a manifest whose workflow has the nodes.
func manifest(nodes ...string) string {
	var names []string
	for _, n := range nodes {
		names = append(names, strings.SplitN(strings.TrimPrefix(n, "{name: "), ",", 2)[0])
	}
	return "version: prices-v1\ndescription: d\nentrypoint: {proto: public_input.proto}\nnodes:\n  - " + strings.Join(nodes, "\n  - ") +
		"\nworkflows:\n  - {name: all, entrypoint: Do, sequential: [" + strings.Join(names, ", ") + "]}\n"
}

const proto = `syntax = "proto3";
package entrypoint;
message Text { string text = 1; }
service Entrypoint { rpc Do(Text) returns (Text); }
`

// bundle writes files into a folder and loads it.
func bundle(t testing.TB, files map[string]string) *krt.Bundle {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"public_input.proto": proto})
	write(t, dir, files)
	return load(t, dir)
}

func load(t testing.TB, dir string) *krt.Bundle {
	t.Helper()
	b, problems, err := krt.Load(context.Background(), dir, krt.Options{})
	require.NoError(t, err)
	require.False(t, problems.HasErrors(), problems)
	return b
}

func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for path, text := range files {
		path = filepath.Join(dir, filepath.FromSlash(path))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func node(t testing.TB, b *krt.Bundle, name string) krt.Node {
	t.Helper()
	n, ok := b.Manifest.Node(name)
	require.True(t, ok)
	return n
}
