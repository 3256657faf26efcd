package krt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
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
			` v0.0.0, which needs the original platform; give its source folder as src, and kn-krt builds it with its own runner`}},
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

func TestLoadOpensNoPipe(t *testing.T) {
	for _, name := range []string{"src/etl/main.py", "public_input.proto"} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, goodBundle())
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o644))
			_, problems := load(t, dir)
			require.Len(t, problems, 1)
			require.True(t, strings.HasSuffix(problems[0], `"`+name+`" is no regular file`), problems[0])
		})
	}
}
