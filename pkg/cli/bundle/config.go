package bundle

import (
	"errors"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// EnvFileFlag gives cmd the flag --env-file.
func EnvFileFlag(cmd *cobra.Command, to *[]string) {
	cmd.Flags().StringArrayVar(to, "env-file", nil,
		"file with lines NAME=VALUE that set config variables; "+
			"\"$\" is not expanded, quotes as in docs/reference/manifest.md (may be "+
			"repeated, later files win)")
}

// ExplainFile adds to a [configvalue.FileError] how to give a config file its content. Other
// errors are returned as they are.
func ExplainFile(err error) error {
	var file *configvalue.FileError
	if !errors.As(err, &file) {
		return err
	}
	return term.WithHint(err, "Give the content of a file with --set-from-file %s=PATH.", file.Name)
}
