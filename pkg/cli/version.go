package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
)

func newVersionCommand(s term.Streams, part clusterPart) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Example: `  kn-krt version
  kn-krt version -o json`,
		Args: term.Arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			return printVersion(s.Out, term.ReadBuild(), format)
		},
	}
	term.OutputFlag(cmd, &format)
	addKliVersion(cmd, part.verbs(s))
	return cmd
}

func printVersion(w io.Writer, b term.Build, format string) error {
	if format == term.OutputJSON {
		return term.PrintJSON(w, b)
	}
	text := "kn-krt " + b.Version
	if b.Revision != "" {
		text += " (" + b.Revision
		if b.Modified {
			text += ", modified"
		}
		text += ")"
	}
	_, err := fmt.Fprintf(w, "%s %s %s\n", text, b.Go, b.Platform)
	return err
}
