package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last cell of a row is wide, or empty, and no column gives way to it.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	rows := newTable(&out, "  OK", "NAME", "REASON")
	rows.row("  ++", "etl", "")
	rows.row("  !!", "model (GPU)", "no\tGPU\nhere")
	rows.row("  ++", "größe → ok", "x")
	require.NoError(t, rows.flush())
	require.Equal(t, `  OK   NAME          REASON
  ++   etl           `+`
  !!   model (GPU)   no GPU here
  ++   größe → ok    x
`, out.String())
}
