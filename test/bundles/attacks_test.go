package bundles_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
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
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/image"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/test/localrun"
)

// TestAttacks makes the images of bundles that try to run code where images are made, and runs those
// whose code is built for that. Each would touch a file, which must not be there in the end. The lines before
// the files of an attack say what must be printed ("want:" by create, "warns:" as it goes on, "run:" by run),
// what environment a user has ("env:") and what git's settings in the bundle are ("git:"). In the files, CANARY is
// the file's path, and BUNDLE that of the bundle; programs in path are on PATH.
func TestAttacks(t *testing.T) {
	attacks, err := filepath.Glob("attacks/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, attacks)
	for _, file := range attacks {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a := readAttack(t, file)
			warned, err := a.create(t)
			for _, want := range a.lines["want"] {
				require.ErrorContains(t, err, want)
			}
			for _, want := range a.lines["warns"] {
				require.Contains(t, warned, want)
			}
			require.NoFileExists(t, a.canary, "create ran code of the bundle")
			for _, want := range a.lines["run"] {
				printed, code := localrun.Command(t, "run", a.dir, "--grpc-port", "0", "--web-port", "0", "--reply-port", "0")
				require.Equal(t, 1, code, printed)
				require.Contains(t, printed, want)
				require.NoFileExists(t, a.canary, "run ran code of the bundle that is not a node's")
			}
		})
	}
}

// attack is a bundle on disk.
type attack struct {
	dir, canary string
	lines       map[string][]string
}

const attackManifest = `version: attack-v1
description: d
entrypoint: {proto: public_input.proto}
nodes:
  - {name: etl, image: "konstellation/kre-py:1.23.1", src: src/etl/main.py}
workflows:
  - {name: all, entrypoint: Do, sequential: [etl]}
`

const attackProto = `syntax = "proto3";
package entrypoint;
message Text { string text = 1; }
service Entrypoint { rpc Do(Text) returns (Text); }
`

func readAttack(t *testing.T, file string) attack {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	require.NoError(t, err)
	a := attack{dir: t.TempDir(), canary: filepath.Join(t.TempDir(), "canary"), lines: map[string][]string{}}
	fill := strings.NewReplacer("CANARY", a.canary, "BUNDLE", a.dir)
	files := map[string]string{"krt.yml": attackManifest, "public_input.proto": attackProto, "src/etl/main.py": "def handler(ctx, data):\n    return data\n"}
	for _, f := range archive.Files {
		files[f.Name] = fill.Replace(string(f.Data))
	}
	for name, text := range packArchives(t, files) {
		path := filepath.Join(a.dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok || strings.HasSuffix(line, ":\n") {
			a.lines[key] = append(a.lines[key], fill.Replace(value))
		}
	}
	a.surround(t)
	return a
}

// surround sets what a user has besides the bundle: an environment, and a repository around it.
func (a attack) surround(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", filepath.Join(a.dir, "path")+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("PIP_CONFIG_FILE", os.DevNull)
	t.Setenv("PIP_NO_INDEX", "1")
	t.Setenv("KO_CONFIG_PATH", "")
	for _, pair := range a.lines["env"] {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	for _, setting := range a.lines["git"] {
		name, value, _ := strings.Cut(setting, "=")
		for _, args := range [][]string{
			{"init", "-q"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "a"}, {"config", name, value},
		} {
			git := exec.CommandContext(t.Context(), "git", args...)
			git.Dir = a.dir
			if out, err := git.CombinedOutput(); err != nil {
				t.Skipf("git: %s", out)
			}
		}
	}
}

// packArchives makes one file of those whose folder is called .whl or .tar.gz.
func packArchives(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	packed := map[string]string{}
	members := map[string]map[string]string{}
	for name, text := range files {
		folder, file := name, ""
		for _, ending := range []string{".whl/", ".tar.gz/"} {
			if before, after, ok := strings.Cut(name, ending); ok {
				folder, file = before+strings.TrimSuffix(ending, "/"), after
			}
		}
		if file == "" {
			packed[name] = text
			continue
		}
		if members[folder] == nil {
			members[folder] = map[string]string{}
		}
		members[folder][file] = text
	}
	for name, inside := range members {
		packed[name] = packArchive(t, strings.HasSuffix(name, ".whl"), inside)
	}
	return packed
}

func packArchive(t *testing.T, zipped bool, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	tarball, wheel := tar.NewWriter(compressed), zip.NewWriter(&out)
	for name, text := range files {
		var w io.Writer = tarball
		var err error
		if zipped {
			w, err = wheel.Create(name)
		} else {
			err = tarball.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})
		}
		require.NoError(t, err)
		_, err = io.WriteString(w, text)
		require.NoError(t, err)
	}
	if zipped {
		require.NoError(t, wheel.Close())
		return out.String()
	}
	require.NoError(t, tarball.Close())
	require.NoError(t, compressed.Close())
	return out.String()
}

// create makes and pushes the images as `create` does, and returns what it warns of. Its folder is the bundle,
// as that of a user who tries one.
func (a attack) create(t *testing.T) (warned string, failed error) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	base, err := random.Image(100, 1)
	require.NoError(t, err)
	base, err = mutate.Config(base, v1.Config{Env: []string{"PYTHON_VERSION=3.11.7"}, Entrypoint: []string{"/ko-app/runner"}})
	require.NoError(t, err)
	ref, err := name.ParseReference(host + "/base")
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base))

	t.Chdir(a.dir)
	var mu sync.Mutex
	builder, err := image.New(image.Options{
		Repo: host, GoBase: ref.Name(), PythonBase: ref.Name(), Cache: t.TempDir(),
		Progress: func(e image.Event) {
			mu.Lock()
			defer mu.Unlock()
			warned += e.Text + "\n"
		},
	})
	require.NoError(t, err)
	bundle, problems, err := krt.Load(t.Context(), a.dir, krt.Options{})
	require.NoError(t, err)
	if problems.HasErrors() {
		return warned, problems.Errors()
	}
	_, failed = builder.BuildAll(t.Context(), bundle)
	return warned, failed
}
