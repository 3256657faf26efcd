package local

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/gobuild"
)

const printsHello = `package main

import "krt.dev/kn-krt/pkg/runner/event"

func main() { println("hello " + event.ContentType) }
`

// ofTheOriginal names the original's modules as its users' nodes did.
const ofTheOriginal = `package main

import (
	"github.com/konstellation-io/kre-runners/kre-go"
	"github.com/konstellation-io/kre/libs/simplelogger"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func handler(ctx *kre.HandlerContext, _ *anypb.Any) (proto.Message, error) {
	var l *simplelogger.SimpleLogger = ctx.Logger
	l.Info("handler")
	return nil, nil
}

func main() {
	if kre.ErrNewLabels.IsValid() == nil {
		println("hello application/protobuf")
		return
	}
	kre.Start(nil, handler)
}
`

// modOfTheOriginal is what "go mod tidy" made of a node's go.mod: nothing below
// the first two lines is needed any more, and some cannot be had.
const modOfTheOriginal = `module main

go 1.18

require (
	github.com/konstellation-io/kre-runners/kre-go v0.0.0-20220517143033-9c42a4b6f0d4
	google.golang.org/protobuf v1.28.0
)

require (
	github.com/golang/protobuf v1.5.2 // indirect
	github.com/influxdata/influxdb-client-go v1.4.0 // indirect
	github.com/konstellation-io/kre/libs/simplelogger v0.0.0-20200612125025-86990df312ef // indirect
	github.com/nats-io/nats.go v1.14.0 // indirect
	go.mongodb.org/mongo-driver v1.4.3 // indirect
	gopkg.in/yaml.v2 v2.2.7 // indirect
)
`

func newTestBuilder(t *testing.T) (*builder, *recorder) {
	t.Helper()
	t.Setenv("GOPROXY", "off") // all that is needed is there
	// A developer's settings for other work.
	for name, value := range map[string]string{"GOFLAGS": "-mod=readonly", "GOOS": "windows", "GOARCH": "mips", "GO111MODULE": "off",
		"GOBIN": "bin"} {
		t.Setenv(name, value)
	}
	s, err := openState(t.TempDir(), false)
	require.NoError(t, err)
	r := newRecorder()
	t.Cleanup(func() { require.NoError(t, s.close()) })
	return newBuilder(s, r), r
}

func requireHello(t *testing.T, binary string) {
	t.Helper()
	out, err := exec.Command(binary).CombinedOutput()
	require.NoError(t, err)
	require.Equal(t, "hello application/protobuf\n", string(out))
}

// files returns the names and content of all files in folder.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found[path] = string(content)
		return err
	}))
	return found
}

func TestBuild(t *testing.T) {
	for name, c := range map[string]struct {
		files   map[string]string
		folder  string
		pattern string
	}{
		"no go.mod": {map[string]string{"src/etl/main.go": printsHello}, "src/etl", "."},
		"own go.mod that requires the SDK": {map[string]string{
			"src/etl/main.go": printsHello,
			"src/etl/go.mod":  "module example.com/etl\n\ngo 1.25.0\n\nrequire krt.dev/kn-krt/pkg/runner v1.2.3\n",
		}, "src/etl", "."},
		"own go.mod that does not": {map[string]string{
			"src/etl/main.go": printsHello,
			"src/etl/go.mod":  "module example.com/etl\n\ngo 1.21\n",
		}, "src/etl", "."},
		"go.mod of the bundle": {map[string]string{
			"go.mod":          "module example.com/version\n",
			"src/etl/main.go": strings.Replace(printsHello, "event\"\n", "event\"\nimport \"example.com/version/share\"\n", 1) + "var _ = share.X\n",
			"share/share.go":  "package share\n\nconst X = 1\n",
		}, "src/etl", "."},
		"by import path": {map[string]string{
			"go.mod":          "module example.com/version\n",
			"cmd/etl/main.go": printsHello,
		}, ".", "example.com/version/cmd/etl"},
		"replacement that is gone": {map[string]string{
			"src/etl/main.go": printsHello,
			"src/etl/go.mod":  "module example.com/etl\n\nreplace krt.dev/kn-krt/pkg/runner => ../../gone\n",
		}, "src/etl", "."},
		"node of the original": {map[string]string{
			"src/etl/main.go": ofTheOriginal,
			"src/etl/go.mod":  modOfTheOriginal,
		}, "src/etl", "."},
		"node of the original, of Go 1.14": {map[string]string{
			"src/etl/main.go": ofTheOriginal,
			"src/etl/go.mod": "module main\n\ngo 1.14\n\nrequire github.com/konstellation-io/kre-runners/kre-go " +
				"v0.0.0-20210520085043-c6c388dc28d4\n",
		}, "src/etl", "."},
		"node of the original, without go.mod": {map[string]string{"src/etl/main.go": ofTheOriginal}, "src/etl", "."},
		"node of the original beside the original": {map[string]string{
			"src/etl/main.go":        ofTheOriginal,
			"src/etl/go.mod":         modOfTheOriginal + "\nreplace github.com/konstellation-io/kre-runners/kre-go => ../../runners/kre-go\n",
			"runners/kre-go/go.mod":  "module github.com/konstellation-io/kre-runners/kre-go\n",
			"runners/kre-go/main.go": "package kre\n\nthe original\n",
		}, "src/etl", "."},
		"relative replacement": {map[string]string{
			"src/etl/main.go": strings.Replace(printsHello, "event\"\n", "event\"\nimport \"example.com/lib\"\n", 1) + "var _ = lib.X\n",
			"src/etl/go.mod":  "module example.com/etl\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ../lib\n",
			"src/lib/go.mod":  "module example.com/lib\n",
			"src/lib/lib.go":  "package lib\n\nconst X = 1\n",
		}, "src/etl", "."},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newTestBuilder(t)
			root := t.TempDir()
			for path, content := range c.files {
				write(t, filepath.Join(root, path), content)
			}
			before := files(t, root)
			binaries, err := b.build(context.Background(), map[string]gobuild.Target{
				"etl": {Folder: filepath.Join(root, c.folder), Pattern: c.pattern, Bundle: root},
			})
			require.NoError(t, err)
			requireHello(t, binaries["etl"])
			require.Equal(t, before, files(t, root), "the user's folder is not touched")
		})
	}
}

// A bundle that lies in somebody's repository does not become a part of it: its nodes can import nothing of the
// packages there, whose names it may guess, and no go.mod there decides what they are built with.
func TestTheGoModuleAboveABundleIsNotIts(t *testing.T) {
	imports := strings.Replace(printsHello, "event\"\n", "event\"\nimport \"example.com/repository/private\"\n", 1) + "var _ = private.X\n"
	for name, c := range map[string]struct {
		folder, pattern string
	}{
		"source":         {"bundle/src/etl", "."},
		"by import path": {"bundle", "example.com/repository/bundle/src/etl"},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := newTestBuilder(t)
			root := t.TempDir()
			t.Chdir(root)
			t.Setenv("GOPROXY", "off")
			write(t, filepath.Join(root, "go.mod"), "module example.com/repository\n\ngo 1.25.0\n")
			write(t, filepath.Join(root, "private/private.go"), "package private\n\nconst X = 1\n")
			main := write(t, filepath.Join(root, "bundle/src/etl/main.go"), imports)
			bundle := filepath.Join(root, "bundle")
			etl := map[string]gobuild.Target{"etl": {Folder: filepath.Join(root, c.folder), Pattern: c.pattern, Bundle: bundle}}
			_, err := b.build(t.Context(), etl)
			require.ErrorContains(t, err, "example.com/repository/")
			require.ErrorContains(t, err, "\n  go.mod is above the bundle and not used: a bundle builds with a go.mod of its own")

			// What it does not need of the repository is built as anywhere else.
			write(t, filepath.Join(root, "go.mod"), "module example.com/repository\n\ngo 1.99\n")
			write(t, main, printsHello)
			if c.pattern != "." {
				write(t, filepath.Join(bundle, "go.mod"), "module example.com/repository/bundle\n")
			}
			binaries, err := b.build(t.Context(), etl)
			require.NoError(t, err)
			requireHello(t, binaries["etl"])
		})
	}
}

func TestBuildInThisRepository(t *testing.T) {
	b, _ := newTestBuilder(t)
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	before, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	binaries, err := b.build(context.Background(), map[string]gobuild.Target{"etl": {Folder: root, Pattern: "krt.dev/kn-krt/cmd/entrypoint"}})
	require.NoError(t, err)
	require.FileExists(t, binaries["etl"])
	after, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

func TestBuildErrorsHaveTheUsersPaths(t *testing.T) {
	b, _ := newTestBuilder(t)
	root := t.TempDir()
	t.Chdir(root)
	write(t, "src/etl/main.go", "package main\n\nfunc main() {\n\tx := 1\n}\n")
	write(t, "src/model/main.go", "package main\n\nfunc main() {\n")
	write(t, "src/lib/lib.go", "package lib\n")
	write(t, "src/good/main.go", printsHello)
	_, err := b.build(context.Background(), map[string]gobuild.Target{
		"etl":   {Folder: filepath.Join(root, "src/etl"), Pattern: "."},
		"good":  {Folder: filepath.Join(root, "src/good"), Pattern: "."},
		"lib":   {Folder: filepath.Join(root, "src/lib"), Pattern: "."},
		"model": {Folder: filepath.Join(root, "src/model"), Pattern: "."},
	})
	require.EqualError(t, err, `cannot build node "etl":
  src/etl/main.go:4:2: declared and not used: x
cannot build node "lib": . in `+filepath.Join(root, "src/lib")+` is not a main package
cannot build node "model":
  src/model/main.go:4:1: syntax error: unexpected EOF, expected }`)
}

func TestNodesOfTheSameCodeShareABuild(t *testing.T) {
	b, r := newTestBuilder(t)
	folder := filepath.Dir(write(t, filepath.Join(t.TempDir(), "main.go"), printsHello))
	same := gobuild.Target{Folder: folder, Pattern: "."}
	binaries, err := b.build(context.Background(), map[string]gobuild.Target{"one": same, "two": same})
	require.NoError(t, err)
	require.Equal(t, binaries["one"], binaries["two"])
	require.Len(t, r.of(EventBuilding), 1)
}

func TestBuildLeavesEarlierBinariesAlone(t *testing.T) {
	b, _ := newTestBuilder(t)
	main := write(t, filepath.Join(t.TempDir(), "main.go"), printsHello)
	nodes := map[string]gobuild.Target{"etl": {Folder: filepath.Dir(main), Pattern: "."}}
	first, err := b.build(context.Background(), nodes)
	require.NoError(t, err)
	write(t, main, strings.Replace(printsHello, "hello", "goodbye", 1))
	second, err := b.build(context.Background(), nodes)
	require.NoError(t, err)
	require.NotEqual(t, first["etl"], second["etl"])
	requireHello(t, first["etl"])
}

func TestBuildWithoutGo(t *testing.T) {
	b, _ := newTestBuilder(t)
	t.Setenv("PATH", t.TempDir())
	_, err := b.build(context.Background(), map[string]gobuild.Target{"etl": {Folder: t.TempDir(), Pattern: "."}})
	require.ErrorIs(t, err, gobuild.ErrNoGo)
	require.EqualError(t, err, `cannot build node "etl": there is no go command on PATH`)
}

func TestBuildStopsWithItsContext(t *testing.T) {
	b, r := newTestBuilder(t)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "main.go"), printsHello)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := b.build(ctx, map[string]gobuild.Target{"etl": {Folder: folder, Pattern: "."}})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, r.output())
}

// The go command, which is killed, stands for one that has begun to build.
func TestABuildThatIsBrokenOffLeavesNothingBehind(t *testing.T) {
	b, r := newTestBuilder(t)
	folder, bin, temp := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "main.go"), printsHello)
	write(t, filepath.Join(bin, "go"), "#!/bin/sh\n"+
		"mkdir -p \"${GOTMPDIR:-$TMPDIR}/go-build1/b001\" && echo go: downloading x && exec sleep 3600\n")
	require.NoError(t, os.Chmod(filepath.Join(bin, "go"), 0o700))
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("TMPDIR", temp)
	t.Setenv("GOTMPDIR", "")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := b.build(ctx, map[string]gobuild.Target{"etl": {Folder: folder, Pattern: "."}})
		done <- err
	}()
	r.until(t, "the download", func() bool { return strings.Contains(r.output(), "go: downloading x") })
	made, err := filepath.Glob(filepath.Join(temp, "*", "go-build1", "b001"))
	require.NoError(t, err)
	require.Len(t, made, 1)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
}
