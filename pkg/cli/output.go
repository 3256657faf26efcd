package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// outputFlag gives cmd the flag -o, whose value [checkOutput] checks.
func outputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", outputText, "output format: text or json")
	// The flag was added just above, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(
		[]string{outputText, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(cmd *cobra.Command, format string) error {
	if format != outputText && format != outputJSON {
		return usageError(cmd, "invalid --output %q: want text or json", format)
	}
	return nil
}

// printJSON writes v as one indented JSON document.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}

// count says "1 error", "2 errors".
func count(n int, singular string) string {
	switch {
	case n == 1:
		return "1 " + singular
	case singular[len(singular)-1] == 'y':
		return fmt.Sprintf("%d %sies", n, singular[:len(singular)-1])
	default:
		return fmt.Sprintf("%d %ss", n, singular)
	}
}
