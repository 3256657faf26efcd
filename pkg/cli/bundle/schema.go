package bundle

import (
	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/bundle/scaffold"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt"
)

func newSchemaCommand(s term.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of krt.yml, for editors",
		Long: `Print the JSON Schema (draft-07) of the manifest, by which editors complete keys, show
what they mean and mark mistakes while you type. It knows nothing of the bundle's files;
'validate' checks those as well.

A version that 'init' has created has the schema in ` + scaffold.SchemaFile + `, and the first line of
its krt.yml names it. In another version, write both:

  # yaml-language-server: $schema=` + scaffold.SchemaFile,
		Example: "  kn-krt schema > " + scaffold.SchemaFile,
		Args:    term.Arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := krt.JSONSchema()
			if err != nil {
				return err
			}
			_, err = s.Out.Write(text)
			return err
		},
	}
}
