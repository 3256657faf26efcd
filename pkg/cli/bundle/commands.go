package bundle

import (
	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
)

// Commands returns the verbs of this package.
func Commands(s term.Streams) []*cobra.Command {
	return []*cobra.Command{
		newGenerateCommand(s),
		newInitCommand(s),
		newPackCommand(s),
		newSchemaCommand(s),
		newTestCommand(s),
		newUnpackCommand(s),
		NewValidateCommand(s),
	}
}
