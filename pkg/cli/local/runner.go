package local

import (
	"os"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/pyrunner"
)

// Commands returns the verbs of this package.
func Commands(s term.Streams) []*cobra.Command {
	return []*cobra.Command{newRunCommand(s), newRunnerCommand(s)}
}

// newRunnerCommand returns the runner of a Python node, which is cmd/runner in an image.
// Users do not type it.
func newRunnerCommand(s term.Streams) *cobra.Command {
	return &cobra.Command{
		Use:    RunnerVerb,
		Short:  "Run one Python node, configured by its environment",
		Hidden: true,
		Args:   term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return pyrunner.Main(cmd.Context(), os.Getenv, s.Err)
		},
	}
}
