package cli

import (
	"os"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/pyrunner"
)

// newRunnerCommand is the front of a Python node, as cmd/runner is in an image:
// with it the installed program alone runs Python nodes. People do not type it.
func newRunnerCommand(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:    runnerVerb,
		Short:  "Run one Python node, as its environment says",
		Hidden: true,
		Args:   arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return pyrunner.Main(cmd.Context(), os.Getenv, s.Err)
		},
	}
}
