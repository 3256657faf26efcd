package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestDisplayName(t *testing.T) {
	onPath := t.TempDir()
	t.Setenv("PATH", onPath)
	installed := filepath.Join(onPath, "kn-krt")
	require.NoError(t, os.WriteFile(installed, nil, 0o755))
	tests := map[string]string{
		"kn-krt":                              "kn-krt",
		installed:                             "kn-krt",
		"bin/kn-krt":                          "bin/kn-krt",
		"/elsewhere/kn-krt":                   "/elsewhere/kn-krt",
		"/usr/local/bin/kubectl-krt":          "kubectl krt",
		"/usr/local/bin/kubectl_complete-krt": "kubectl krt",
		"/home/ana/.config/kn/plugins/kn-krt": "kn krt",
		"renamed":                             "renamed",
		"./renamed":                           "./renamed",
	}
	for argv0, want := range tests {
		t.Run(argv0, func(t *testing.T) { require.Equal(t, want, displayName(argv0)) })
	}
}

func TestUsageErrors(t *testing.T) {
	tests := map[string]struct {
		args []string
		err  string
	}{
		"unknown verb":       {[]string{"frobnicate"}, "Error: unknown command \"frobnicate\"\nRun 'kn-krt --help' for usage.\n"},
		"nearly known verb":  {[]string{"invok"}, "Error: unknown command \"invok\"; did you mean \"invoke\"?\nRun 'kn-krt --help' for usage.\n"},
		"unknown flag":       {[]string{"version", "--frob"}, "Error: unknown flag: --frob\nRun 'kn-krt version --help' for usage.\n"},
		"missing argument":   {[]string{"invoke"}, "Error: accepts between 1 and 2 arg(s), received 0\nRun 'kn-krt invoke --help' for usage.\n"},
		"unknown output":     {[]string{"version", "-o", "xml"}, "Error: invalid --output \"xml\": want text or json\nRun 'kn-krt version --help' for usage.\n"},
		"superfluous word":   {[]string{"version", "now"}, "Error: unknown command \"now\" for \"kn-krt version\"\nRun 'kn-krt version --help' for usage.\n"},
		"flag without value": {[]string{"invoke", "x", "--address"}, "Error: flag needs an argument: --address\nRun 'kn-krt invoke --help' for usage.\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, krtResult{code: ExitUsage, err: test.err}, runKrt(t.Context(), "", test.args...))
		})
	}
}

func TestHelpBearsTheTypedName(t *testing.T) {
	var out strings.Builder
	code := Main(t.Context(), []string{"kubectl-krt", "invoke", "-h"}, Streams{Out: &out, Err: &out})
	require.Equal(t, ExitOK, code)
	require.Contains(t, out.String(), "kubectl krt invoke greet -d")
	require.NotContains(t, out.String(), "kn-krt")
}

func TestEveryVerbHasHelp(t *testing.T) {
	for _, cmd := range newRootCommand("kn-krt", Streams{}).Commands() {
		if cmd.Hidden {
			continue
		}
		require.NotEmptyf(t, cmd.Short, "%s: no short help", cmd.Name())
		require.NotEmptyf(t, cmd.Example, "%s: no example", cmd.Name())
	}
}

func TestExit(t *testing.T) {
	cmd := &cobra.Command{Use: "krt"}
	tests := map[string]struct {
		ctx  context.Context
		err  error
		code int
		text string
	}{
		"fine":               {t.Context(), nil, ExitOK, ""},
		"failed":             {t.Context(), errors.New("cannot go on"), ExitFailed, "Error: cannot go on\n"},
		"hint":               {t.Context(), withHint(errors.New("cannot go on"), "Go %s.", "back"), ExitFailed, "Error: cannot go on\nGo back.\n"},
		"hint below context": {t.Context(), fmt.Errorf("cannot walk: %w", withHint(errors.New("wall"), "Turn.")), ExitFailed, "Error: cannot walk: wall\nTurn.\n"},
		"usage":              {t.Context(), usageError(cmd, "no"), ExitUsage, "Error: no\nRun 'krt --help' for usage.\n"},
		"told":               {t.Context(), told(errInvalid), ExitFailed, ""},
		"interrupted":        {canceled(t), fmt.Errorf("cannot wait: %w", context.Canceled), ExitInterrupted, "Interrupted.\n"},
		"cancelled by other": {t.Context(), context.Canceled, ExitFailed, "Error: context canceled\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			require.Equal(t, test.code, exit(test.ctx, &out, test.err))
			require.Equal(t, test.text, out.String())
		})
	}
}

func TestCount(t *testing.T) {
	tests := map[string]string{
		count(0, "error"):   "0 errors",
		count(1, "warning"): "1 warning",
		count(2, "entry"):   "2 entries",
	}
	for got, want := range tests {
		require.Equal(t, want, got)
	}
}
