package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/configvalue"
	"krt.dev/kn-krt/pkg/local"
)

func TestRunExplains(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		code int
		want string
	}{
		"fine": {nil, term.ExitOK, ""},
		"problems": {krt.Problems{{File: "krt.yml", Line: 1, Column: 2, Text: "bad"}}, term.ExitFailed,
			"krt.yml:1:2: bad\nError: here is not a valid version: 1 error\n"},
		"variable": {&configvalue.MissingError{Variables: []string{"A", "B"}}, term.ExitFailed,
			"Error: no value for config variables \"A\", \"B\"\n" +
				"Give values with --set A=VALUE, in a file with --env-file, or in the environment.\n"},
		"variable and file": {&configvalue.MissingError{Variables: []string{"A"}, Files: []string{"C"}}, term.ExitFailed,
			"Error: no value for config variable \"A\" and config file \"C\"\n" +
				"Give values with --set A=VALUE, in a file with --env-file, or in the environment; " +
				"the content of a file with --set-from-file C=PATH.\n"},
		"file": {&configvalue.MissingError{Files: []string{"C", "D"}}, term.ExitFailed,
			"Error: no value for config files \"C\", \"D\"\n" +
				"Give the content of a file with --set-from-file C=PATH.\n"},
		"file as variable": {fmt.Errorf("odd: %w", &configvalue.FileError{Name: "C"}), term.ExitFailed,
			"Error: odd: config \"C\" is a file: its value is the content of a file\n" +
				"Give the content of a file with --set-from-file C=PATH.\n"},
		"port": {&local.PortError{Port: "web", Address: "127.0.0.1:8080", Err: syscall.EADDRINUSE}, term.ExitFailed,
			"Error: cannot listen on 127.0.0.1:8080 for the web port: address already in use\n" +
				"Choose another port with --web-port N, or any free one with --web-port 0.\n"},
		"no such address": {&local.PortError{Port: "web", Address: "192.0.2.1:8080", Err: syscall.EADDRNOTAVAIL}, term.ExitFailed,
			"Error: cannot listen on 192.0.2.1:8080 for the web port: cannot assign requested address\n" +
				"Name an address of this machine with --listen, or leave it out for 127.0.0.1.\n"},
		"full": {fmt.Errorf("cannot write x: %w", syscall.ENOSPC), term.ExitFailed,
			"Error: cannot write x: no space left on device\nFree room there, or name other folders: " +
				"--state-dir for what is kept, the variable TMPDIR for the rest.\n"},
		"no go": {fmt.Errorf("cannot build node \"etl\": %w", gobuild.ErrNoGo), term.ExitFailed,
			"Error: cannot build node \"etl\": there is no go command on PATH\n" +
				"Install Go (https://go.dev/dl), or build the node elsewhere and name the program as its src: bin/NODE.\n"},
		"runs": {fmt.Errorf("%w: another run uses the state folder \"/s\"", local.ErrRunning), term.ExitFailed,
			"Error: the version is already running: another run uses the state folder \"/s\"\n" +
				"Stop the other run, or give this one another folder with --state-dir DIR.\n"},
		"no module": {&local.StartError{Node: "etl", Err: errors.New("exit status 1"), Output: []string{
			"  import pandas", "ModuleNotFoundError: No module named 'pandas'", "Error: cannot run node"}}, term.ExitFailed,
			"Error: node \"etl\" did not start: exit status 1; its last output was:\n" +
				"    import pandas\n  ModuleNotFoundError: No module named 'pandas'\n  Error: cannot run node\n" +
				"A local run uses the packages of your Python: install the one that has the module \"pandas\" there, " +
				"or name another Python with KRT_PYTHON=PATH.\n"},
		"not ready": {&local.StartError{Node: "etl", Err: fmt.Errorf("%w after 2s", local.ErrNotReady)}, term.ExitFailed,
			"Error: node \"etl\" did not start: not ready after 2s\n" +
				"Its init has not returned: see what it waits for, or give it longer with --start-timeout 15m.\n"},
		"interrupted": {errors.Join(context.Canceled), term.ExitInterrupted, "Error: interrupted before the version was ready\n"},
		"killed":      {local.ErrKilled, term.ExitInterrupted, "Error: stopped by force: requests in flight are lost\n"},
		"other":       {errors.New("broken"), term.ExitFailed, "Error: broken\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			o := runOptions{streams: term.Streams{Err: &out}, program: "kn-krt", path: "here"}
			require.Equal(t, c.code, term.Exit(t.Context(), &out, o.explain(c.err)))
			require.Equal(t, c.want, out.String())
		})
	}
}

func TestRunConfigFlags(t *testing.T) {
	const usage = "\nRun 'kn-krt run --help' for usage.\n"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no value":  {[]string{"--set", "SECRET"}, "Error: value 1 of --set: write NAME=VALUE" + usage},
		"no name":   {[]string{"--set", "A=1", "--set", "=hunter2"}, "Error: value 2 of --set: write NAME=VALUE" + usage},
		"twice":     {[]string{"--set", "A=1", "--set", "A=2"}, "Error: --set gives \"A\" twice" + usage},
		"file":      {[]string{"--set-from-file", "A"}, "Error: value 1 of --set-from-file: write NAME=VALUE" + usage},
		"two paths": {[]string{"a", "b"}, "Error: expected at most DIR|krt.yml|FILE.krt, got 2 arguments" + usage},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, result{code: term.ExitUsage, err: c.want}, runKrt(t, append([]string{"run"}, c.args...)...))
		})
	}
}

// result is what a run of the program left behind.
type result struct {
	code     int
	out, err string
}

// runKrt runs a command line that has only the verbs of this package.
func runKrt(t *testing.T, args ...string) result {
	var out, errs strings.Builder
	root := &cobra.Command{Use: "kn-krt", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(term.Streams{Out: &out, Err: &errs})...)
	root.SetArgs(args)
	code := term.Exit(t.Context(), &errs, root.ExecuteContext(t.Context()))
	return result{code: code, out: out.String(), err: errs.String()}
}

func TestInterrupts(t *testing.T) {
	ctx, kill, release := interrupts(context.Background())
	defer release()
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(os.Interrupt))
	<-ctx.Done()
	select {
	case <-kill:
		t.Fatal("the first signal kills")
	default:
	}
	require.NoError(t, self.Signal(os.Interrupt))
	<-kill
}
