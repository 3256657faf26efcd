package local

import (
	"os"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/pyrunner"
)

// Commands are the verbs of this room.
func Commands(s term.Streams) []*cobra.Command {
	return []*cobra.Command{newRunCommand(s), newRunnerCommand(s)}
}

// newRunnerCommand is the front of a Python node, as cmd/runner is in an image:
// with it the installed program alone runs Python nodes. People do not type it.
func newRunnerCommand(s term.Streams) *cobra.Command {
	return &cobra.Command{
		Use:    RunnerVerb,
		Short:  "Run one Python node, as its environment says",
		Hidden: true,
		Args:   term.Arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return pyrunner.Main(cmd.Context(), os.Getenv, s.Err)
		},
	}
}
