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

// OutputFlag adds the flag -o to cmd, with the value text or json.
func OutputFlag(cmd *cobra.Command, format *string) {
	*format = OutputText
	Choice{Name: "output", Short: "o", Usage: "output format", Of: []string{OutputText, OutputJSON}}.AddTo(cmd, format)
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
