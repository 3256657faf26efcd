package krt_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

const publicProto = `syntax = "proto3";
package main;
message Request { string city = 1; }
message Response { double price = 1; }
service Entrypoint {
  rpc MakePrediction (Request) returns (Response);
  rpc SaveMetric (Request) returns (Response);
  rpc Watch (Request) returns (stream Response);
  rpc Upload (stream Request) returns (Response);
}
`

const goodManifest = `krtVersion: v1
version: price-estimator
description: New room price predictions.
entrypoint:
  proto: public_input.proto
config:
  variables: [OUTPUT_PRICE_CURRENCY]
  files:
    - HTTPS_CERT
nodes:
  - name: etl
    image: konstellation/kre-py:1.23.1
    src: src/etl/main.py
    gpu: false
    replicas: 1
    scale: {min: 1, max: 3, target: 10, concurrency: 20}
    resources: {requests: {cpu: 500m}, limits: {memory: 2Gi}}
    env: {MODE: fast}
    timeout: 10s
  - name: model
    image: konstellation/kre-py:1.23.1
    src: src/model/main.py
    gpu: true
  - {name: output, image: konstellation/kre-go:1.9.0, src: bin/output, workers: 2}
  - {name: 2nd, image: konstellation/kre-go:1.9.0, src: ./src/second/}
  - {name: ko-node, image: ko://example.org/nodes/cmd/ko}
workflows:
  - name: ny-room-price
    entrypoint: MakePrediction
    sequential:
      - etl
      - model
      - 2nd
  - name: save-metrics
    entrypoint: main.Entrypoint.SaveMetric
    sequential: [etl, output, ko-node]
`

// goodBundle returns the files of a bundle without any mistake.
func goodBundle() map[string]string {
	return map[string]string{
		"krt.yml":            goodManifest,
		"public_input.proto": publicProto,
		"src/etl/main.py":    "async def handler(ctx, data):\n    return data\n",
		"src/model/main.py":  "from shared import handler\n",
		"src/second/main.go": "package main\n",
		"src/second/go.mod":  "module second\n",
		"bin/output":         "#!/bin/sh\n",
	}
}

// write makes a folder of files; those under bin are executable.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(file, []byte(text), mode))
	}
	return dir
}

func load(t *testing.T, dir string) (*krt.Bundle, []string) {
	t.Helper()
	b, problems, err := krt.Load(t.Context(), dir, krt.Options{})
	require.NoError(t, err)
	require.Equal(t, problems.HasErrors(), b == nil)
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	return b, lines
}

func TestLoad(t *testing.T) {
	dir := write(t, goodBundle())
	b, problems := load(t, dir)
	require.Empty(t, problems)
	require.Equal(t, dir, b.Dir)
	require.Equal(t, filepath.Join(dir, "krt.yml"), b.ManifestPath)
	m := b.Manifest
	require.Equal(t, "price-estimator", m.Version)
	require.Equal(t, krt.Config{Variables: []string{"OUTPUT_PRICE_CURRENCY"}, Files: []string{"HTTPS_CERT"}}, m.Config)
	require.Equal(t, []string{"etl", "model", "2nd"}, m.Workflows[0].Sequential)
	etl, ok := m.Node("etl")
	require.True(t, ok)
	require.Equal(t, 3, *etl.Scale.Max)
	require.Equal(t, 2, *m.Nodes[2].Workers)
	require.Nil(t, etl.Workers)
	require.Equal(t, "500m", etl.Resources.Requests["cpu"])
	require.Equal(t, map[string]string{"MODE": "fast"}, etl.Env)
	require.EqualValues(t, 10e9, etl.Timeout)
	require.True(t, m.Nodes[1].GPU)
	require.Equal(t, "src/second", m.Nodes[3].Src)
	var kinds []krt.Kind
	for _, n := range m.Nodes {
		kinds = append(kinds, b.Kind(n))
	}
	require.Equal(t, []krt.Kind{krt.KindPython, krt.KindPython, krt.KindGoBinary, krt.KindGoSource, krt.KindKo}, kinds)
	_, err := b.Schema.Method("MakePrediction")
	require.NoError(t, err)
	text, err := fs.ReadFile(b.FS(), "src/second/go.mod")
	require.NoError(t, err)
	require.Equal(t, "module second\n", string(text))
	_, err = b.FS().Open("../krt.yml")
	require.Error(t, err)
}

// Where there are more problems than are reported, errors come before warnings, and only what may hide an error is one.
func TestTooManyProblems(t *testing.T) {
	dir := write(t, goodBundle())
	const most, tooMany = 200, "krt.yml: %stoo many problems; the rest are not shown"
	for name, test := range map[string]struct {
		warnings, errors int
		shown            int // errors
		last             string
	}{
		"as many as are shown": {warnings: most},
		"warnings":             {warnings: most + 2, last: "warning: "},
		"errors too":           {warnings: most + 2, errors: 3, shown: 3, last: "warning: "},
		"errors":               {warnings: 1, errors: most + 1, shown: most},
	} {
		t.Run(name, func(t *testing.T) {
			b, problems, err := krt.Load(t.Context(), dir, krt.Options{Check: func(context.Context, *krt.Bundle) (all krt.Problems) {
				for i := range test.warnings + test.errors {
					all = append(all, krt.Problem{File: fmt.Sprintf("%03d.py", i), Line: 1, Column: 1, Warning: i < test.warnings, Text: "bad"})
				}
				return all
			}})
			require.NoError(t, err)
			require.Equal(t, test.errors == 0, b != nil)
			var names []string
			errors := problems.Errors()
			if test.warnings+test.errors > most {
				require.Len(t, problems, most+1)
				require.Equal(t, fmt.Sprintf(tooMany, test.last), problems[0].String())
				problems = problems[1:]
			}
			for _, p := range problems {
				names = append(names, p.File)
			}
			require.Len(t, names, most)
			require.True(t, slices.IsSorted(names))
			if test.errors > most {
				test.shown++ // that there are too many
			}
			require.Len(t, errors, test.shown)
		})
	}
}

func TestLoadByManifestPath(t *testing.T) {
	files := goodBundle()
	files["krt.yaml"] = files["krt.yml"]
	delete(files, "krt.yml")
	dir := write(t, files)
	for _, path := range []string{dir, filepath.Join(dir, "krt.yaml")} {
		b, problems := load(t, path)
		require.Empty(t, problems)
		require.Equal(t, filepath.Join(dir, "krt.yaml"), b.ManifestPath)
	}
}

func TestLoadCannotRead(t *testing.T) {
	dir := write(t, map[string]string{"krt.yaml.txt": "", "x.krt": "\x1f\x8b\x08", "krt.yml/x": "", "sub/krt.ym": ""})
	for path, want := range map[string]string{
		"":             `"krt.yml" is not a regular file`,
		"sub":          `there is no krt.yml in the folder; did you mean "krt.ym"?`,
		"none":         "no such file or directory",
		"x.krt":        "it is a packed bundle; unpack it first",
		"krt.yaml.txt": "it is not a folder, a krt.yml or a .krt file",
	} {
		t.Run(path, func(t *testing.T) {
			b, problems, err := krt.Load(t.Context(), filepath.Join(dir, path), krt.Options{})
			require.ErrorContains(t, err, want)
			require.Nil(t, b)
			require.Empty(t, problems)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := krt.Load(ctx, write(t, goodBundle()), krt.Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// A pipe without a writer is refused at once, whatever its name.
func TestLoadOpensNoPipes(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		"pipe": "it is not a folder, a krt.yml or a .krt file", "krt.yml": `"krt.yml" is not a regular file`,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		_, _, err := krt.Load(t.Context(), path, krt.Options{})
		require.ErrorContains(t, err, want)
	}
	_, _, err := krt.LoadArchive(t.Context(), filepath.Join(dir, "pipe"), t.TempDir(), krt.Options{})
	require.ErrorContains(t, err, "is not a regular file")
	require.Empty(t, krt.ManifestIn(os.DirFS(dir)).Version, "what a runner reads of it")
}

func TestLoadLooksAtFiles(t *testing.T) {
	const src = "    src: src/etl/main.py\n"
	for _, test := range []struct {
		name   string
		change func(files map[string]string)
		want   []string
	}{
		{"proto missing", func(f map[string]string) { delete(f, "public_input.proto"); f["public_inputs.proto"] = publicProto },
			[]string{`krt.yml:5:10: entrypoint.proto "public_input.proto" is not in the bundle; did you mean "public_inputs.proto"?`}},
		{"proto broken", func(f map[string]string) {
			f["public_input.proto"] = "syntax = \"proto3\";\nmessage A { Foo x = 1; }\n"
		},
			[]string{`public_input.proto:2:13: field A.x: unknown type Foo`}},
		{"proto is a folder", func(f map[string]string) {
			delete(f, "public_input.proto")
			f["public_input.proto/x"] = ""
		}, []string{`krt.yml:5:10: entrypoint.proto "public_input.proto" is not a regular file`}},
		{"src missing", func(f map[string]string) { delete(f, "src/etl/main.py"); f["src/etl/Main.py"] = "" },
			[]string{`krt.yml:13:10: node "etl": src "src/etl/main.py" is not in the bundle; did you mean "src/etl/Main.py"?`}},
		{"src is a Python folder", func(f map[string]string) { f["krt.yml"] = strings.Replace(goodManifest, src, "    src: src/etl\n", 1) },
			[]string{`krt.yml:13:10: node "etl": src "src/etl" is a folder without Go sources; did you mean "src/etl/main.py"?`}},
		{"src is a text", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, src, "    src: notes.txt\n", 1)
			f["notes.txt"] = "hello"
		}, []string{`krt.yml:13:10: node "etl": src "notes.txt" is not a .py file, a .go file, a folder with Go sources or an executable file`}},
		{"program not executable", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, src, "    src: etl\n", 1)
			f["etl"] = "\x7fELF…"
		}, []string{`krt.yml:13:10: node "etl": src "etl" is a program that is not executable; run chmod +x on it`}},
		{"default_handler", func(f map[string]string) {
			f["src/etl/main.py"] = "def default_handler(ctx, data):\n    pass\n"
		},
			[]string{`krt.yml:13:10: node "etl": src "src/etl/main.py" is written for runner 3: it defines default_handler; kn-krt runs nodes of ` +
				`KRT V1: define handler(ctx, data) and return the message`}},
		{"send_output", func(f map[string]string) {
			f["src/etl/main.py"] = "async def handler(ctx, data):\n    await ctx.send_output(data)\n"
		}, []string{`krt.yml:13:10: node "etl": src "src/etl/main.py" is written for runner 3: it calls ctx.send_output; kn-krt runs`}},
		{"both handlers", func(f map[string]string) {
			f["src/etl/main.py"] = "def handler(ctx, data): pass\ndefault_handler = handler\n# ctx.send_output()\n"
		}, nil},
		{"empty main.py", func(f map[string]string) { f["src/etl/main.py"] = "" },
			[]string{`krt.yml:13:10: warning: node "etl": "src/etl/main.py" does not seem to define handler; the node cannot start without it`}},
		{"two manifests", func(f map[string]string) { f["krt.yaml"] = "" },
			[]string{`krt.yml: warning: krt.yaml is in the same folder and is ignored`}},
		{"two workflows on one rpc", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "main.Entrypoint.SaveMetric", "Entrypoint.MakePrediction", 1)
		}, []string{`krt.yml:35:17: workflow "save-metrics": rpc "Entrypoint.MakePrediction" already calls workflow "ny-room-price"; each ` +
			`workflow needs an rpc of its own`}},
		{"unknown rpc", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "main.Entrypoint.SaveMetric", "SaveMetrics", 1)
		}, []string{`krt.yml:35:17: workflow "save-metrics": rpc "SaveMetrics" is not in public_input.proto; did you mean "SaveMetric"?`}},
		{"client-streaming rpc", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "main.Entrypoint.SaveMetric", "Upload", 1)
		}, []string{`krt.yml:35:17: workflow "save-metrics": rpc "main.Entrypoint.Upload" is client-streaming: one request starts a workflow; ` +
			`put the parts into a repeated field, or call a unary rpc for each`}},
		{"server-streaming rpc", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "main.Entrypoint.SaveMetric", "Watch", 1)
		}, []string{`krt.yml:35:17: note: workflow "save-metrics" returns a stream, which on a cluster may last as long as the setting ` +
			`stream-timeout allows (5m)`}},
		{"a service with a reserved path", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "main.Entrypoint.SaveMetric", "Save", 1)
			f["public_input.proto"] = strings.Replace(publicProto, "package main;", "", 1) +
				"service _krt { rpc Save(Request) returns (Response); }\n"
		}, []string{`krt.yml:35:17: workflow "save-metrics": rpc "_krt.Save" cannot be called: its path begins with /_krt/, which is reserved`}},
		{"assembly that includes a file from outside", func(f map[string]string) { f["src/second/a.s"] = "#include \"/etc/passwd\"\n" },
			[]string{`src/second/a.s:1:10: includes "/etc/passwd", which is outside the folder of its package; put the file there`}},
		{"entrypoint image", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "proto: public_input.proto",
				"proto: public_input.proto\n  image: konstellation/kre-entrypoint:1.6.0", 1)
		}, []string{`krt.yml:6:10: note: entrypoint.image is ignored: kn-krt runs its own entrypoint`}},
		{"manifest and proto and code at once", func(f map[string]string) {
			f["krt.yml"] = strings.Replace(goodManifest, "version: price-estimator", "version: 3-prices", 1)
			f["public_input.proto"] = "syntax = \"proto3\";\nmessage {"
			delete(f, "src/etl/main.py")
		}, []string{`krt.yml:2:10: version "3-prices" begins with a digit`, `krt.yml:13:10: node "etl": src`, `public_input.proto:2:9: syntax ` +
			`error`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := goodBundle()
			test.change(files)
			_, problems := load(t, write(t, files))
			require.Len(t, problems, len(test.want), "%v", problems)
			for i, want := range test.want {
				require.Contains(t, problems[i], want)
			}
		})
	}
}

func TestLoadLinks(t *testing.T) {
	dir := write(t, goodBundle())
	outside := filepath.Join(t.TempDir(), "secret.py")
	require.NoError(t, os.WriteFile(outside, []byte("def handler(ctx, data): pass"), 0o644))
	require.NoError(t, os.Remove(filepath.Join(dir, "src/etl/main.py")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "src/etl/main.py")))
	require.NoError(t, os.Remove(filepath.Join(dir, "src/model/main.py")))
	require.NoError(t, os.Symlink("../second/x.py", filepath.Join(dir, "src/model/main.py")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "src/second/x.py"), []byte("def handler(ctx, data): pass"), 0o644))
	_, problems := load(t, dir)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], `krt.yml:13:10: node "etl": src "src/etl/main.py" points outside the bundle`)
}

func TestRequirementsThatNoImageCanHave(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"krt.yml": "version: v\ndescription: d\nentrypoint: {proto: p.proto}\nnodes:\n  - {name: a, image: kre-py:1, src: src/a/main.py}\n" +
			"  - {name: b, image: kre-py:1, src: src/b/main.py}\nworkflows:\n  - {name: w, entrypoint: Do, sequential: [a, b]}\n",
		"p.proto":              "syntax = \"proto3\";\npackage p;\nmessage M {}\nservice S { rpc Do(M) returns (M); }\n",
		"src/a/main.py":        "def handler(ctx, data): pass\n",
		"src/b/main.py":        "def handler(ctx, data): pass\n",
		"src/requirements.txt": "numpy\n-e .\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	b, problems, err := krt.Load(t.Context(), dir, krt.Options{})
	require.NoError(t, err)
	require.NotNil(t, b, "it runs where the packages are")
	require.Len(t, problems, 1, "once, for both nodes: %s", problems)
	require.Contains(t, problems.Error(), `src/requirements.txt:2:1: warning: no image can be made: "-e ." is an editable install`)
}

func TestWorkflowsThatStream(t *testing.T) {
	files := goodBundle()
	files["krt.yml"] = strings.Replace(goodManifest, "main.Entrypoint.SaveMetric", "Watch", 1)
	b, _ := load(t, write(t, files))
	require.Equal(t, map[string]bool{"save-metrics": true}, b.Streams())
}
