// Package scaffold_test takes the first steps of a new user with the built program
// alone, outside this repository: begin a version, test it, run it, call it.
package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/pyrunner"
	"krt.dev/kn-krt/test/localrun"
)

func TestMain(m *testing.M) { localrun.Main(m) }

func TestFirstSteps(t *testing.T) {
	const greeting, ana = `{"greeting":"Hello, Ana!"}`, `{"name": "Ana"}`
	for _, version := range []struct {
		args                     []string
		workflow, request, wants string
		tested                   string
	}{
		{[]string{"--language", "python"}, "greet", ana, greeting, "1 source folder tested"},
		{[]string{"--language", "go"}, "greet", ana, greeting, "1 source folder tested"},
		{[]string{"--template", "python-go"}, "greet", ana, greeting, "2 source folders tested"},
		{[]string{"--template", "python-sklearn"}, "classify", "@first/assets/examples/classify.json", `"name":"setosa"`,
			"1 source folder tested"},
		{[]string{"--template", "python-llm-stream"}, "complete", `{"text": "The town mouse saw ripe", "max_tokens": 1}`,
			`{"text":"grapes "}`, "1 source folder tested"},
	} {
		t.Run(version.args[1], func(t *testing.T) {
			if strings.Contains(version.args[1], "python") {
				localrun.NeedPython(t)
			}
			if version.workflow == "classify" {
				needModules(t, "sklearn", "joblib")
			}
			t.Chdir(t.TempDir())
			firstSteps(t, version.args, version.tested)
			dir, err := filepath.Abs("first")
			require.NoError(t, err)
			running := localrun.Start(t, dir)
			out, code := localrun.Command(t, "invoke", version.workflow, "-d", version.request, "-o", "json", "--address", running.GRPC)
			require.Zero(t, code, out)
			require.Contains(t, out, version.wants)
			require.Zero(t, running.Stop(t))
		})
	}
}

// firstSteps creates a version in the folder first, tests and checks it, and packs it twice: the schema for
// editors is no part of what is packed.
func firstSteps(t *testing.T, args []string, tested string) {
	t.Helper()
	for _, words := range [][]string{
		append([]string{"init", "first"}, args...), {"validate", "first"}, {"generate", "--check", "first"}, {"test", "first"},
		{"pack", "first", "--output", "with.krt"},
	} {
		out, code := localrun.Command(t, words...)
		require.Zero(t, code, "%v: %s", words, out)
		if words[0] == "test" {
			require.Contains(t, out, "Tests of version first passed: "+tested)
		}
	}
	manifest, err := os.ReadFile("first/krt.yml")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(manifest), "# yaml-language-server: $schema=.krt.schema.json\n"))
	schema, err := os.ReadFile("first/.krt.schema.json")
	require.NoError(t, err)
	out, code := localrun.Command(t, "schema")
	require.Zero(t, code)
	require.Equal(t, out, string(schema))

	require.NoError(t, os.Remove("first/.krt.schema.json"))
	out, code = localrun.Command(t, "pack", "first", "--output", "without.krt")
	require.Zero(t, code, out)
	with, err := os.ReadFile("with.krt")
	require.NoError(t, err)
	without, err := os.ReadFile("without.krt")
	require.NoError(t, err)
	require.Equal(t, without, with)
}

// needModules skips the test without modules of Python, which a machine for all tests has.
func needModules(t *testing.T, names ...string) {
	t.Helper()
	python, err := pyrunner.FindPython(os.Getenv)
	require.NoError(t, err)
	if err := exec.CommandContext(t.Context(), python, "-c", "import "+strings.Join(names, ", ")).Run(); err != nil {
		t.Skipf("%s has not all of %v: %v", python, names, err)
	}
}
