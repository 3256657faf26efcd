package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli/term"
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

// krtResult is what a run of the program left behind.
type krtResult struct {
	code     int
	out, err string
}

// runKrt runs the command line.
func runKrt(ctx context.Context, args ...string) krtResult {
	var out, errs strings.Builder
	code := Main(ctx, append([]string{"kn-krt"}, args...), term.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	return krtResult{code: code, out: out.String(), err: errs.String()}
}

func TestUsageErrors(t *testing.T) {
	tests := map[string]struct {
		args []string
		err  string
	}{
		"unknown verb":      {[]string{"frobnicate"}, "Error: unknown command \"frobnicate\"\nRun 'kn-krt --help' for usage.\n"},
		"help of unknown":   {[]string{"help", "foo"}, "Error: unknown command \"foo\"\nRun 'kn-krt help --help' for usage.\n"},
		"nearly known verb": {[]string{"invok"}, "Error: unknown command \"invok\"; did you mean \"invoke\"?\nRun 'kn-krt --help' for usage.\n"},
		"unknown flag":      {[]string{"version", "--frob"}, "Error: unknown flag: --frob\nRun 'kn-krt version --help' for usage.\n"},
		"missing argument": {[]string{"invoke"}, "Error: expected WORKFLOW or VERSION WORKFLOW, got 0 arguments\n" +
			"Run 'kn-krt invoke --help' for usage.\n"},
		"unknown output": {[]string{"version", "-o", "xml"},
			"Error: invalid argument \"xml\" for \"-o, --output\" flag: must be text or json\nRun 'kn-krt version --help' for usage.\n"},
		"superfluous word": {[]string{"version", "now"},
			"Error: unknown command \"now\" for \"kn-krt version\"\nRun 'kn-krt version --help' for usage.\n"},
		"flag without value": {[]string{"invoke", "x", "--address"},
			"Error: flag needs an argument: --address\nRun 'kn-krt invoke --help' for usage.\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, krtResult{code: term.ExitUsage, err: test.err}, runKrt(t.Context(), test.args...))
		})
	}
}

// TestDataRefuses: a wrong command line is refused before anything connects.
func TestDataRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`"rooms" is not documents, predictions or measurements`:                       {"delete", "rooms"},
		`a deletion of documents must name a collection`:                              {"delete", "documents"},
		`give --query, or --all to delete all documents rooms`:                        {"delete", "documents", "rooms"},
		`--query and --all exclude each other`:                                        {"delete", "documents", "rooms", "-q", "{}", "--all"},
		`--name selects measurements only`:                                            {"delete", "predictions", "--name", "x"},
		`--query selects documents only`:                                              {"delete", "measurements", "-q", "{}"},
		`give --all to delete all predictions`:                                        {"delete", "predictions"},
		`measurements are not deleted by a collection or a query: only documents are`: {"delete", "measurements", "temperature"},
		`give --name, or --all to delete all measurements`:                            {"delete", "measurements"},
		`--name is empty`: {"delete", "measurements", "--name", ""},
		`--query is not a JSON object: invalid character 'b' looking for beginning of object key string`: {"find", "rooms", "-q", "{bad"},
		`--query is not one JSON object`:                                        {"delete", "documents", "rooms", "-q", "null"},
		`--query: field "beds": $size requires an integer that is not negative`: {"find", "rooms", "-q", `{"beds": {"$size": "x"}}`},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			got := runKrt(t.Context(), append([]string{"data"}, args...)...)
			require.Equal(t, krtResult{code: term.ExitUsage, err: "Error: " + want + "\nRun 'kn-krt data " + args[0] + " --help' for usage.\n"}, got)
		})
	}
}

func TestHelpShowsTheTypedName(t *testing.T) {
	var out strings.Builder
	code := Main(t.Context(), []string{"kubectl-krt", "invoke", "-h"}, term.Streams{Out: &out, Err: &out})
	require.Equal(t, term.ExitOK, code)
	require.Contains(t, out.String(), "kubectl krt invoke greet -d")
	require.NotContains(t, out.String(), "kn-krt")
}

func TestEveryVerbHasHelp(t *testing.T) {
	for _, cmd := range newRootCommand("kn-krt", term.Streams{}, builtFor()).Commands() {
		if cmd.Hidden {
			continue
		}
		require.NotEmptyf(t, cmd.Short, "%s: no short help", cmd.Name())
		require.NotEmptyf(t, cmd.Example, "%s: no example", cmd.Name())
	}
}

// A program without the cluster's verbs knows their names.
func TestClusterVerbsAreNamed(t *testing.T) {
	var names []string
	for _, cmd := range builtFor().verbs(term.Streams{}) {
		names = append(names, cmd.Name())
	}
	slices.Sort(names)
	require.Equal(t, clusterVerbs(), names)
}

func TestLocalOnly(t *testing.T) {
	run := func(args ...string) krtResult {
		var out, errs strings.Builder
		root := newRootCommand("kn-krt", term.Streams{Out: &out, Err: &errs}, noCluster())
		root.SetArgs(args)
		code := term.Exit(t.Context(), &errs, root.ExecuteContext(t.Context()))
		return krtResult{code: code, out: out.String(), err: errs.String()}
	}
	for _, args := range [][]string{
		{"create", "my-version", "--start"}, {"doctor"}, {"version", "list"}, {"invoke", "my-version", "greet"},
		{"invoke", "greet", "-n", "kre"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			require.Equal(t, krtResult{code: term.ExitFailed, err: "Error: this kn-krt was built for local runs only and cannot use a cluster\n" +
				"Build the whole program, bin/kn-krt, with 'make build' in the sources of kn-krt.\n"}, run(args...))
		})
	}
	help := run("--help")
	require.Equal(t, term.ExitOK, help.code)
	require.Contains(t, help.out, "This program was built for local runs only")
	require.NotContains(t, help.out, "create")
	require.NotContains(t, help.out, "--kubeconfig")
	require.NotContains(t, help.out, "cluster not reachable")
}
