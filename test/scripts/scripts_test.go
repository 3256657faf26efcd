// Package scripts tests the command line as its users see it: each .txtar is a
// script of commands with the output they must have.
package scripts

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/pyrunner"
)

var update = flag.Bool("update", false, "write the output as it is into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kn-krt": program, "kubectl-krt": program})
}

// program is kn-krt itself: scripts start the test binary by its names.
func program() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args, term.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

func TestScripts(t *testing.T) {
	kept := goEnvironment(t)
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Condition: func(name string) (bool, error) {
			if name != "python" && name != "pytest" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			python, err := pyrunner.FindPython(os.Getenv)
			if err == nil && name == "pytest" {
				err = exec.CommandContext(t.Context(), python, "-c", "import pytest").Run()
			}
			return err == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, kept...)
			return nil
		},
	})
}

// goEnvironment is what a script's commands need to build with what this machine
// has: scripts begin with an empty home.
func goEnvironment(t *testing.T) []string {
	names := []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOFLAGS", "GOSUMDB", "GOTOOLCHAIN"}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"env", "-json"}, names...)...).Output()
	require.NoError(t, err)
	values := map[string]string{}
	require.NoError(t, json.Unmarshal(out, &values))
	var kept []string
	for name, value := range values {
		kept = append(kept, name+"="+value)
	}
	for _, name := range []string{"KRT_PYTHON", "PYENV_ROOT", "SSL_CERT_FILE", "HTTPS_PROXY"} {
		if value, ok := os.LookupEnv(name); ok {
			kept = append(kept, name+"="+value)
		}
	}
	return kept
}
