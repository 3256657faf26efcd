package term

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Values of --output.
const (
	OutputText = "text"
	OutputJSON = "json"
)

// OutputFlag adds the flag -o to cmd; its value is checked by [CheckOutput].
func OutputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", OutputText, "output format: text or json")
	// The flag was added just above, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]string{OutputText, OutputJSON}, cobra.ShellCompDirectiveNoFileComp))
}

// CheckOutput returns a usage error unless format is a value of [OutputFlag].
func CheckOutput(cmd *cobra.Command, format string) error {
	if format != OutputText && format != OutputJSON {
		return UsageError(cmd, "invalid --output %q: want text or json", format)
	}
	return nil
}

// PrintJSON writes v as one indented JSON document.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}
