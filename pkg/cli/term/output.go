package term

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/legible"
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

// NewEncoder returns an encoder of JSON for a terminal as well as for programs: see
// [PrintableJSON]. It writes each value, with its line break, at once.
func NewEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(printableWriter{w})
	enc.SetEscapeHTML(false)
	return enc
}

// printableWriter writes JSON with what a terminal does not print escaped. Each write is of
// whole characters.
type printableWriter struct{ to io.Writer }

func (w printableWriter) Write(text []byte) (int, error) {
	if _, err := w.to.Write(legible.PrintableJSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}

// PrintJSON writes v as one indented JSON document.
func PrintJSON(w io.Writer, v any) error {
	enc := NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("cannot write JSON: %w", err)
	}
	return nil
}
