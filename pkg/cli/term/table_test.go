package term

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last cell of a row is wide, or empty, and no column gives way to it.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	rows := NewTable(&out, "  OK", "NAME", "REASON")
	rows.Row("  ++", "etl", "")
	rows.Row("  !!", "model (GPU)", "no\tGPU\nhere")
	rows.Row("  ++", "größe → ok", "x")
	require.NoError(t, rows.Flush())
	require.Equal(t, `  OK   NAME          REASON
  ++   etl           `+`
  !!   model (GPU)   no GPU here
  ++   größe → ok    x
`, out.String())
}
