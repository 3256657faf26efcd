// Package cli is the command line of kn-krt: the root command, over the packages below
// it that hold the verbs. A verb is an options struct, a run function and injected
// streams; nothing here touches the process's own streams.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"krt.dev/kn-krt/pkg/cli/bundle"
	"krt.dev/kn-krt/pkg/cli/call"
	"krt.dev/kn-krt/pkg/cli/letters"
	"krt.dev/kn-krt/pkg/cli/local"
	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/saved"
	"krt.dev/kn-krt/pkg/cli/term"
)

// Main runs the command line args, whose first element is the program's own name as it
// was typed, and returns the exit code. Cancelling ctx interrupts the verb. An error is
// printed once, as "Error: …", to s.Err.
func Main(ctx context.Context, args []string, s term.Streams) int {
	if len(args) == 0 {
		args = []string{"kn-krt"}
	}
	words := args[1:]
	if programName(args[0]) == completeProgram {
		words = append([]string{cobra.ShellCompRequestCmd}, words...)
	}
	root := newRootCommand(displayName(args[0]), s, builtFor())
	root.SetArgs(words)
	return term.Exit(ctx, s.Err, root.ExecuteContext(ctx))
}

// Tree returns the root command with all verbs, for pages that are made of them. It is not
// to be executed: its streams are empty.
func Tree() *cobra.Command { return newRootCommand("kn-krt", term.Streams{}, builtFor()) }

// completeProgram is the name under which kubectl starts a plugin for completions
// (kubectl 1.26, "Plugins: shell completion").
const completeProgram = "kubectl_complete-krt"

func programName(argv0 string) string { return strings.TrimSuffix(filepath.Base(argv0), ".exe") }

// displayName is what the user types for the program that was started as argv0,
// so that a printed command can be copied: the bare name if it is on PATH, the
// plugin's name if kn or kubectl started it, else the path.
func displayName(argv0 string) string {
	name := programName(argv0)
	switch {
	case name == "kubectl-krt", name == completeProgram:
		return "kubectl krt"
	case name == "kn-krt" && strings.HasSuffix(filepath.ToSlash(filepath.Dir(argv0)), "/kn/plugins"):
		return "kn krt" // kn's own plugin folder, which is not on PATH
	case filepath.Base(argv0) == argv0:
		return name
	}
	onPath, err := exec.LookPath(name)
	if err != nil {
		return argv0
	}
	found, foundErr := os.Stat(onPath)
	this, thisErr := os.Stat(argv0)
	if foundErr == nil && thisErr == nil && os.SameFile(found, this) {
		return name
	}
	return argv0
}

const rootLong = `Run versions of KRT V1 (Konstellation Runtime Transport): a gRPC contract of your
own, nodes in Python or Go, and workflows that chain them.

Exit codes: 0 success, 1 failure or invalid version, 2 wrong usage, 3 not found,
`

const clusterCodes = `4 cluster not reachable, no permission or not installed there, 5 waiting failed or
timed out, 130 interrupted. kn turns every code of a plugin but 0 into 1.`

const rootExample = `  # Create a version, run it on this machine and call it
  kn-krt init my-version --language python
  kn-krt run my-version
  kn-krt invoke greet -d '{"name": "Ana"}'`

const clusterExample = `

  # Run it on a cluster
  kn-krt create my-version --start --publish
  kn-krt invoke my-version greet -d '{"name": "Ana"}'`

// Groups of commands in the root's help.
const (
	groupLocal   = "local"
	groupCluster = "cluster"
)

func newRootCommand(name string, s term.Streams, part clusterPart) *cobra.Command {
	root := &cobra.Command{
		Use:           "kn-krt",
		Short:         "Run KRT V1 versions on this machine or on Knative",
		Long:          rootLong + part.about,
		Example:       rootExample + part.examples,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: name},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          helpOrUnknown,
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return term.UsageError(cmd, "%w", err)
	})
	root.SuggestionsMinimumDistance = 2
	part.flags(root)
	root.AddGroup(&cobra.Group{ID: groupLocal, Title: "On this machine:"})
	for _, cmd := range slices.Concat(bundle.Commands(s), local.Commands(s), []*cobra.Command{newKrtCommand(s), newVersionCommand(s, part)}) {
		cmd.GroupID = groupLocal
		withoutGlobalFlags(cmd)
		root.AddCommand(cmd)
	}
	if part.group != "" {
		root.AddGroup(&cobra.Group{ID: part.group, Title: "On a cluster:"})
	}
	for _, cmd := range part.verbs(s) {
		cmd.GroupID = part.group
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{call.NewCommand(s, part.versions), requests.NewCommand(s, part.versions),
		saved.NewCommand(s, part.versions), letters.NewDeadCommand(s, part.versions), letters.NewResultCommand(s, part.versions)} {
		cmd.GroupID = groupLocal
		root.AddCommand(cmd)
	}
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args, cmd.Example = helpTopic, "  kn-krt help invoke"
		}
	}
	addCompletion(root, s)
	typed(root, name)
	return root
}

// typed puts what the user types for the program into the examples of cmd and its
// subcommands.
func typed(cmd *cobra.Command, program string) {
	cmd.Example = strings.ReplaceAll(cmd.Example, "kn-krt", program)
	for _, below := range cmd.Commands() {
		typed(below, program)
	}
}

// withoutGlobalFlags hides the flags that name a cluster in cmd's help: they are
// accepted, because kn passes them on, and have no effect there.
func withoutGlobalFlags(cmd *cobra.Command) {
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = true })
		help(cmd, args)
	})
}

// helpTopic checks the arguments of the command help.
func helpTopic(cmd *cobra.Command, args []string) error {
	if _, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 {
		return term.UsageError(cmd, "unknown command %q", strings.Join(args, " "))
	}
	return nil
}

// helpOrUnknown is what a command with subcommands does if none is given, or an unknown one.
func helpOrUnknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return term.UsageError(cmd, "%w", errors.New(text))
}
