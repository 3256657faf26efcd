package remote

import (
	"context"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/remote/printing"
	"krt.dev/kn-krt/pkg/cli/term"
)

// showOptions are what verbs have in common that show something of one version.
type showOptions struct {
	streams term.Streams
	name    string
	out     printing.Output
}

// showCommand makes cmd show, by run, something of the version its argument names.
func showCommand(cmd *cobra.Command, o *showOptions, run func(context.Context, *Cluster) error) {
	cmd.Args = term.Arguments(cobra.ExactArgs(1))
	cmd.ValidArgsFunction = completeVersions(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.out.Prepare(cmd); err != nil {
			return err
		}
		o.name = args[0]
		return connected(cmd, run)
	}
	NamespaceFlag(cmd)
}
