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
		"file of NAME=VALUE lines with values of config variables, taken as they are (may be repeated, a later one wins)")
}

// ExplainFile adds to err how to give a config file its content, if that is what err is about.
func ExplainFile(err error) error {
	var file *configvalue.FileError
	if !errors.As(err, &file) {
		return err
	}
	return term.WithHint(err, "Give the content with --set-from-file %s=PATH.", file.Name)
}
