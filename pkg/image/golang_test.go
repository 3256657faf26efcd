package image

import (
	"context"
	"debug/elf"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/gobuild"
)

// goNode has no go.mod: the SDK is found all the same.
const goNode = `package main

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"krt.dev/kn-krt/pkg/runner"
)

func main() {
	runner.Start(nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, nil })
}
`

func TestGoNodeRuns(t *testing.T) {
	for name, value := range map[string]string{"GOFLAGS": "-mod=readonly", "GOOS": "windows", "GOARCH": "mips", "GO111MODULE": "off",
		"GOAMD64": "v4"} {
		t.Setenv(name, value) // a developer's settings for other work
	}
	h := newHub(t)
	b, events := newTestBuilder(t, h, nil)
	bundle := bundle(t, map[string]string{
		"krt.yml": manifest(
			"{name: one, image: 'konstellation/kre-go:1.9.0', src: src/step}",
			"{name: two, image: 'konstellation/kre-go:1.9.0', src: src/step/main.go}"),
		"src/step/main.go": goNode,
		"models/a":         "1",
	})
	images, err := b.BuildAll(t.Context(), bundle)
	require.NoError(t, err)
	require.Equal(t, images["one"], images["two"], "the same code is the same image")
	require.Len(t, events.of(EventBuilding), 1)

	image := pull(t, images["one"])
	config := configOf(t, image)
	require.Equal(t, []string{"/ko-app/step"}, config.Entrypoint)
	require.Contains(t, config.Env, "KO_DATA_PATH=/krt-files")
	files := contentOf(t, image)
	require.Equal(t, "644 1", files["krt-files/models/a"])
	requireReady(t, files["ko-app/step"][len("755 "):])
	requireComponent(t, images["one"], "google.golang.org/protobuf")
}

// Nodes of the original's users: a program that is not there is built from its sources,
// with code from the bundle's protos or descriptors for a handler that takes JSON.
func TestGoNodesOfTheOriginal(t *testing.T) {
	b, _ := newTestBuilder(t, newHub(t), nil)
	for folder, program := range map[string]string{"bin-src": "shout", "go-json": "split"} {
		images, err := b.BuildAll(t.Context(), load(t, filepath.Join("..", "..", "test", "bundles", "cases", folder)))
		require.NoError(t, err)
		image := pull(t, images[program])
		require.Equal(t, []string{"/ko-app/" + program}, configOf(t, image).Entrypoint)
		binary := contentOf(t, image)["ko-app/"+program][len("755 "):]
		if program == "split" { // its init wants the bundle
			require.Contains(t, binary, "public_input.proto")
			continue
		}
		requireReady(t, binary)
	}
}

// requireReady runs a node's program for real, as its container would.
func requireReady(t *testing.T, program string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o755))
	for range 10 { // another program may take the port first
		if isReady(t, file) {
			return
		}
	}
	t.Fatal("the node ends")
}

// isReady waits until a node's program is ready at a port, or has ended.
func isReady(t *testing.T, file string) bool {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cmd := exec.CommandContext(ctx, file)
	cmd.Env = []string{"PORT=" + port, "KRT_NODE_NAME=one"}
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	defer func() { stop(); <-ended }()
	for limit := time.After(time.Minute); ; {
		response, err := http.Get("http://127.0.0.1:" + port + "/readyz")
		if err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK && response.Header.Get("Krt-Source") != "" {
			return true
		}
		select {
		case <-ended:
			return false
		case <-limit:
			t.Fatal("it is not ready")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// requireComponent reports whether the SBOM beside the image lists the package.
func requireComponent(t *testing.T, ref, want string) {
	t.Helper()
	digest, err := name.NewDigest(ref)
	require.NoError(t, err)
	hash, err := v1.NewHash(digest.DigestStr())
	require.NoError(t, err)
	image, err := remote.Image(digest.Context().Tag("sha256-" + hash.Hex + ".sbom"))
	require.NoError(t, err)
	layers, err := image.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 1)
	media, err := layers[0].MediaType()
	require.NoError(t, err)
	require.Equal(t, spdxMediaType, media)
	content, err := layers[0].Compressed()
	require.NoError(t, err)
	var document spdxDocument
	require.NoError(t, json.NewDecoder(content).Decode(&document))
	require.Equal(t, "sbom-"+digest.DigestStr(), document.Name)
	var names []string
	for _, p := range document.Packages {
		names = append(names, p.Name)
	}
	require.Contains(t, names, want)
}

func TestGoErrors(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	bundle := bundle(t, map[string]string{
		"krt.yml": manifest(
			"{name: a, image: 'konstellation/kre-go:1.9.0', src: src/a}",
			"{name: b, image: 'konstellation/kre-go:1.9.0', src: src/b}",
			"{name: again, image: 'konstellation/kre-go:1.9.0', src: src/b}",
			"{name: lib, image: 'konstellation/kre-go:1.9.0', src: src/lib}"),
		"src/a/main.go":  "package main\n\nfunc main() {\n\tx := 1\n}\n",
		"src/b/main.go":  "package main\n\nfunc main() { y() }\n",
		"src/lib/lib.go": "package lib\n",
	})
	t.Chdir(bundle.Dir)
	_, err := b.BuildAll(t.Context(), bundle)
	require.EqualError(t, err, "cannot build node \"a\":\n  src/a/main.go:4:2: declared and not used: x\n"+
		"cannot build node \"b\":\n  src/b/main.go:3:15: undefined: y\n"+
		"cannot make the image of node \"lib\": . in "+filepath.Join(bundle.Dir, "src/lib")+" is not a main package")
	var compile *gobuild.Error
	require.ErrorAs(t, err, &compile)

	t.Setenv("PATH", t.TempDir())
	_, err = b.Build(t.Context(), bundle, node(t, bundle, "a"))
	require.EqualError(t, err, `cannot make the image of node "a": there is no go command on PATH: install Go (https://go.dev/dl), `+
		`or build the node elsewhere and set src to the program`)
}

func TestGoTakesTooLong(t *testing.T) {
	goTime = time.Nanosecond
	t.Cleanup(func() { goTime = 30 * time.Minute })
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	bundle := bundle(t, map[string]string{
		"krt.yml":       manifest("{name: a, image: 'konstellation/kre-go:1.9.0', src: src/a}"),
		"src/a/main.go": "package main\n\nfunc main() {}\n",
	})
	_, err := b.Build(t.Context(), bundle, node(t, bundle, "a"))
	require.ErrorContains(t, err, `cannot make the image of node "a": go build took longer than 1ns`)
}

func TestPrebuilt(t *testing.T) {
	h := newHub(t)
	b, _ := newTestBuilder(t, h, nil)
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"public_input.proto": proto,
		"krt.yml": manifest(
			"{name: good, image: 'konstellation/kre-go:1.9.0', src: bin/good}",
			"{name: arm, image: 'konstellation/kre-go:1.9.0', src: bin/arm}",
			"{name: script, image: 'konstellation/kre-go:1.9.0', src: bin/script}"),
		"bin/tool": "kept",
	})
	for path, from := range map[string]string{"good": programFile(t, elf.EM_X86_64), "arm": programFile(t, elf.EM_AARCH64)} {
		require.NoError(t, os.Rename(from, filepath.Join(dir, "bin", path)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin/script"), []byte("#!/bin/sh\n"), 0o755))
	bundle := load(t, dir)
	ref, err := b.Build(t.Context(), bundle, node(t, bundle, "good"))
	require.NoError(t, err)
	files := contentOf(t, pull(t, ref))
	require.Contains(t, files, "ko-app/good")
	require.Contains(t, files, "krt-files/bin/tool")
	require.NotContains(t, files, "krt-files/bin/good", "it is there once")
	require.NotContains(t, files, "krt-files/bin/arm")

	_, err = b.Build(t.Context(), bundle, node(t, bundle, "arm"))
	require.EqualError(t, err,
		`cannot make the image of node "arm": "bin/arm": it is a program for linux/arm64, and the image is for linux/amd64: build it with `+
			`GOARCH=amd64`)
	_, err = b.Build(t.Context(), bundle, node(t, bundle, "script"))
	require.EqualError(t, err, `cannot make the image of node "script": "bin/script": it is not a program for Linux: build it with GOOS=linux`)
}

func TestKoNode(t *testing.T) {
	t.Setenv("KO_DEFAULTBASEIMAGE", "")
	t.Setenv("KO_CONFIG_PATH", "")
	h := newHub(t)
	b, events := newTestBuilder(t, h, nil)
	bundle := bundle(t, map[string]string{
		"krt.yml":                  manifest("{name: step, image: 'ko://example.com/version/cmd/step'}"),
		"go.mod":                   "module example.com/version\n\ngo 1.25.0\n",
		"cmd/step/main.go":         goNode,
		"cmd/step/kodata/models/x": "2",
	})
	ref, err := b.Build(t.Context(), bundle, node(t, bundle, "step"))
	require.NoError(t, err)
	image := pull(t, ref)
	config := configOf(t, image)
	require.Equal(t, []string{"/ko-app/step"}, config.Entrypoint)
	require.Contains(t, config.Env, "KO_DATA_PATH=/var/run/ko")
	require.Positive(t, events.of(EventDone)[0].Sent)
	requireComponent(t, ref, "google.golang.org/protobuf")
	require.Equal(t, "644 2", contentOf(t, image)["var/run/ko/models/x"])

	again, err := New(b.o)
	require.NoError(t, err)
	same, err := again.Build(t.Context(), bundle, node(t, bundle, "step"))
	require.NoError(t, err)
	require.Equal(t, ref, same)

	write(t, bundle.Dir, map[string]string{"cmd/step/main.go": "package main\n\nfunc main() { y() }\n"})
	t.Chdir(bundle.Dir)
	_, err = again.Build(t.Context(), bundle, node(t, bundle, "step"))
	require.EqualError(t, err, "cannot build node \"step\":\n  cmd/step/main.go:3:15: undefined: y")
}

func TestKoDataStaysInTheBundle(t *testing.T) {
	b := bundle(t, map[string]string{"krt.yml": twoNodes()["krt.yml"], "src/etl/main.py": handler, "src/model/main.py": handler,
		"models/a": "1"})
	data := filepath.Join(b.Dir, "cmd", "node", "kodata")
	require.NoError(t, os.MkdirAll(data, 0o755))
	packed := map[string]bool{"models/a": true, "src/etl/main.py": true}
	names := func() (all []string, err error) {
		files, err := koDataOf(b, packed, "cmd/node/kodata")
		for _, f := range files {
			all = append(all, f.To)
		}
		return all, err
	}
	none, err := koDataOf(b, packed, "cmd/other/kodata")
	require.NoError(t, err)
	require.Empty(t, none)

	require.NoError(t, os.Symlink("../../../models", filepath.Join(data, "models")))
	require.NoError(t, os.Symlink("../../../src/etl/main.py", filepath.Join(data, "main.py")))
	all, err := names()
	require.NoError(t, err)
	require.Equal(t, []string{"var/run/ko/main.py", "var/run/ko/models/a"}, all, "a link within the bundle is what it leads to")

	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(data, "secret")))
	_, err = names()
	require.ErrorContains(t, err, `"cmd/node/kodata/secret" is not a file of the bundle: `)
	require.NoError(t, os.Remove(filepath.Join(data, "secret")))

	require.NoError(t, os.Symlink("..", filepath.Join(data, "round")))
	_, err = names()
	require.ErrorContains(t, err, `"cmd/node/kodata/round/kodata/round/`, "it ends")
}

func TestWhichBaseOfKo(t *testing.T) {
	t.Setenv("KO_DEFAULTBASEIMAGE", "")
	t.Setenv("KO_CONFIG_PATH", "")
	b := bundle(t, twoNodes())
	o := Options{GoBase: "go:1", PythonBase: "python:1"}
	none, _, err := readKoConfig(b)
	require.NoError(t, err)
	require.Equal(t, "go:1", o.koBaseName(none, "example.com/a", ""))
	require.Equal(t, "python:1", o.koBaseName(none, "example.com/a", "src/a/main.py"))

	write(t, b.Dir, map[string]string{".ko.yaml": "defaultBaseImage: ko:1\nbaseImageOverrides:\n  example.com/A: ko:2\nbuilds: []\n"})
	some, ignored, err := readKoConfig(b)
	require.NoError(t, err)
	require.Empty(t, ignored)
	require.Equal(t, "ko:1", o.koBaseName(some, "example.com/b", ""))
	require.Equal(t, "ko:2", o.koBaseName(some, "example.com/a", "src/a/main.py"))

	t.Setenv("KO_DEFAULTBASEIMAGE", "env:1")
	require.Equal(t, "env:1", o.koBaseName(some, "example.com/b", ""))
	write(t, b.Dir, map[string]string{".ko.yaml": "defaultBaseImage: [1\n"})
	_, _, err = readKoConfig(b)
	require.ErrorContains(t, err, "cannot read .ko.yaml of the bundle: ")
}

func TestFlagsAreTheUsersOwn(t *testing.T) {
	b := bundle(t, twoNodes())
	all := "defaultBaseImage: ko:1\ndefaultFlags: [-toolexec=./evil]\ndefaultEnv: [A=1]\n" +
		"defaultLdflags: ['-X main.version={{.Env.VERSION}}']\n"
	write(t, b.Dir, map[string]string{".ko.yaml": all})
	t.Setenv("KO_CONFIG_PATH", "")
	config, ignored, err := readKoConfig(b)
	require.NoError(t, err)
	require.Equal(t, koConfig{DefaultBaseImage: "ko:1"}, config)
	require.Equal(t, []string{"defaultEnv", "defaultFlags", "defaultLdflags"}, ignored)

	mine := t.TempDir()
	write(t, mine, map[string]string{".ko.yaml": all})
	for _, named := range []string{mine, filepath.Join(mine, ".ko.yaml")} {
		t.Setenv("KO_CONFIG_PATH", named)
		config, ignored, err = readKoConfig(b)
		require.NoError(t, err)
		require.Empty(t, ignored)
		require.Equal(t, []string{"A=1"}, config.DefaultEnv)
	}
	filled, err := fill(config.DefaultLdflags, []string{"VERSION=7"}, time.Now())
	require.NoError(t, err)
	require.Equal(t, []string{"-X main.version=7"}, filled)
	_, err = fill([]string{"{{.Git.FullCommit}}"}, nil, time.Now())
	require.ErrorContains(t, err, "(templates may name .Env, .Date and .Timestamp)")

	require.NoError(t, os.WriteFile(filepath.Join(mine, ".ko.yaml"), make([]byte, maxKoFile+1), 0o600))
	_, _, err = readKoConfig(b)
	require.ErrorContains(t, err, "it is larger than 65536 bytes")
}
