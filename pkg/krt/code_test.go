package krt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/krt"
)

// program builds a Go program that is linked with empty modules of the given paths.
func program(t *testing.T, modules ...string) string {
	t.Helper()
	gomod, imports := "module example.org/node\n\ngo 1.24\n", ""
	files := map[string]string{}
	for _, m := range modules {
		gomod += "require " + m + " v0.0.0\nreplace " + m + " => ./" + m + "\n"
		imports += "import _ \"" + m + "\"\n"
		files[m+"/go.mod"] = "module " + m + "\n\ngo 1.24\n"
		files[m+"/m.go"] = "package m\n"
	}
	files["go.mod"] = gomod
	files["main.go"] = "package main\n" + imports + "func main() {}\n"
	dir := write(t, files)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", "node", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	text, err := os.ReadFile(filepath.Join(dir, "node"))
	require.NoError(t, err)
	return string(text)
}

func TestLoadRefusesProgramsOfTheOriginal(t *testing.T) {
	const original, ours = "github.com/konstellation-io/kre-runners/kre-go", "krt.dev/kn-krt/pkg/runner"
	for _, test := range []struct {
		name, program string
		want          []string
	}{
		{"original", program(t, original), []string{`krt.yml:24:60: node "output": src "bin/output" is linked with ` + original +
			` v0.0.0, which needs the original platform; set src to its source folder ("src/second"), and kn-krt builds it with its own runner`}},
		{"its first module", program(t, "gitlab.com/konstellation/kre/runtime-runners/kre-go"),
			[]string{`krt.yml:24:60: node "output": src "bin/output" ` +
				`is linked with gitlab.com/konstellation/kre/runtime-runners/kre-go v0.0.0, which needs the original platform; ` +
				`set src to its source folder ("src/second"), and kn-krt builds it with its own runner`}},
		{"the original's names, our runner", program(t, original, ours), nil},
		{"another program", program(t), nil},
		{"a program that is cut short", program(t)[:2000], nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := goodBundle()
			files["bin/output"] = test.program
			_, problems := load(t, write(t, files))
			require.Equal(t, test.want, problems)
		})
	}
}

func TestLoadTakesTheSourcesOfAProgram(t *testing.T) {
	const original = "github.com/konstellation-io/kre-runners/kre-go"
	linked := program(t, original)
	missing := `krt.yml:24:60: note: node "output": src "bin/output" is not in the bundle; "src/output" is built and run instead`
	for _, test := range []struct {
		name    string
		files   map[string]string // "" takes one out
		mode    os.FileMode
		want    string
		wantSrc string
	}{
		{"missing", map[string]string{"bin/output": "", "src/output/main.go": "package main\n"}, 0, missing, "src/output"},
		{"linked with the original", map[string]string{"bin/output": linked, "src/output/main.go": "package main\n"}, 0o755,
			`krt.yml:24:60: note: node "output": src "bin/output" is linked with ` + original +
				` v0.0.0, which needs the original platform; "src/output" is built and run instead`, "src/output"},
		{"not executable any more", map[string]string{"bin/output": linked, "src/output/main.go": "package main\n"}, 0o644,
			`krt.yml:24:60: note: node "output": src "bin/output" is linked with ` + original +
				` v0.0.0, which needs the original platform; "src/output" is built and run instead`, "src/output"},
		{"not a program", map[string]string{"bin/output": "version https://git-lfs.github.com/spec/v1\n", "src/output/main.go": "package main\n"},
			0o644,
			`krt.yml:24:60: note: node "output": src "bin/output" is not a program; "src/output" is built and run instead`, "src/output"},
		{"a program that runs", map[string]string{"src/output/main.go": "package main\n"}, 0o755, "", "bin/output"},
		{"no such sources", map[string]string{"bin/output": "", "src/output/main.py": "x = 1\n"}, 0,
			`krt.yml:24:60: node "output": src "bin/output" is not in the bundle; to have it built, set src to the folder with its Go sources: ` +
				`"src/second"`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := goodBundle()
			for name, content := range test.files {
				if files[name] = content; content == "" {
					delete(files, name)
				}
			}
			dir := write(t, files)
			if test.mode != 0 {
				require.NoError(t, os.Chmod(filepath.Join(dir, "bin/output"), test.mode))
			}
			b, problems, err := krt.Load(t.Context(), dir, krt.Options{})
			require.NoError(t, err)
			var told []string
			for _, p := range problems {
				if p.Shown || !p.Warning {
					told = append(told, p.String())
				}
			}
			require.Equal(t, test.want, strings.Join(told, "\n"))
			if test.wantSrc == "" {
				return
			}
			n, _ := b.Manifest.Node("output")
			require.Equal(t, test.wantSrc, n.Src)
			require.Equal(t, test.wantSrc != "bin/output", b.Kind(n) == krt.KindGoSource)
		})
	}
}

func TestLoadRefusesGoNodesOfLaterRunners(t *testing.T) {
	const (
		v1 = "package main\n\nimport \"github.com/konstellation-io/kre-runners/kre-go\"\n\n" +
			"func main() { kre.Start(nil, handler) }\n\nfunc handler(ctx *kre.HandlerContext, data *anypb.Any) (proto.Message, error) " +
			"{\n\treturn nil, nil\n}\n"
		advice = "; kn-krt runs nodes of KRT V1: import github.com/konstellation-io/kre-runners/kre-go and let the handler return " +
			"(proto.Message, error)"
	)
	errorOnly := strings.Replace(v1, "(proto.Message, error)", "error", 1)
	for _, test := range []struct{ name, text, want string }{
		{"KRT V1", v1, ""},
		{"another function that returns an error", v1 + "\nfunc errorHandler(ctx *kre.HandlerContext, data *anypb.Any) error {\n", ""},
		{"such a function in another file", strings.Replace(errorOnly, "kre.Start(nil, handler)", "", 1), ""},
		{"another thing that sends", v1 + "\nfunc f() { queue.SendAny(x) }\n// ctx.SendOutput(x)\n", ""},
		{"not the original's", strings.Replace(errorOnly, "konstellation-io", "example", 1), ""},
		{"no message", errorOnly, "has a handler that returns no message"},
		{"no message, by default", strings.Replace(errorOnly, "func handler", "func defaultHandler", 1),
			"has a defaultHandler that returns no message"},
		{"SendOutput", v1 + "\nfunc f() { ctx.SendOutput(x) }\n", "calls ctx.SendOutput"},
		{"SendAny", v1 + "\nfunc f() { err := ctx.SendAny(x) }\n", "calls ctx.SendAny"},
		{"suffix", strings.Replace(v1, `kre-go"`, `kre-go/v4"`, 1), "imports kre-go/v4"},
		{"suffix of a package", strings.Replace(v1, `kre-go"`, `kre-go/v4/runner"`, 1), "imports kre-go/v4"},
		{"package of KRT V1", strings.Replace(v1, `import "`,
			"import _ \"github.com/konstellation-io/kre-runners/kre-go/libs/simplelogger\"\nimport \"", 1), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			if test.want != "" {
				want = []string{`krt.yml:24:60: node "output": src "src/node/main.go" is written for runner 3 or later: it ` + test.want + advice}
			}
			for _, src := range []string{"src/node", "src/node/main.go"} {
				files := goodBundle()
				files["krt.yml"] = strings.Replace(files["krt.yml"], "src: bin/output", "src: "+src, 1)
				files["src/node/main.go"], files["src/node/tool.go"] = test.text, "package main\n"
				files["src/node/go.mod"] = "module node\n"
				_, problems := load(t, write(t, files))
				require.Equal(t, want, problems, src)
			}
		})
	}
}

func TestLoadOpensNoPipe(t *testing.T) {
	for _, name := range []string{"src/etl/main.py", "public_input.proto"} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, goodBundle())
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o644))
			_, problems := load(t, dir)
			require.Len(t, problems, 1)
			require.True(t, strings.HasSuffix(problems[0], `"`+name+`" is not a regular file`), problems[0])
		})
	}
}
