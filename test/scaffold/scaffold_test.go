// Package scaffold_test takes the first steps of a new user with the built program
// alone, outside this repository: begin a version, test it, run it, call it.
package scaffold_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/localrun"
)

func TestMain(m *testing.M) { localrun.Main(m) }

func TestFirstSteps(t *testing.T) {
	for _, language := range []string{"python", "go"} {
		t.Run(language, func(t *testing.T) {
			if language == "python" {
				localrun.NeedPython(t)
			}
			t.Chdir(t.TempDir())
			out, code := localrun.Command(t, "init", "first", "--language", language)
			require.Zero(t, code, out)
			out, code = localrun.Command(t, "test", "first")
			require.Zero(t, code, out)
			require.Contains(t, out, "Tests of version first passed: 1 source folder tested")

			dir, err := filepath.Abs("first")
			require.NoError(t, err)
			version := localrun.Start(t, dir)
			out, code = localrun.Command(t, "invoke", "greet", "-d", `{"name": "Ana"}`, "-o", "json", "--address", version.GRPC)
			require.Zero(t, code, out)
			require.Equal(t, `{"greeting":"Hello, Ana!"}`+"\n", out)
			require.Zero(t, version.Stop(t))
		})
	}
}
