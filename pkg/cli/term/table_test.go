package term

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The last cell of a row is wide, or empty, and no column gives way to it.
func TestTable(t *testing.T) {
	type row [3]string
	columns := []Column[row]{
		{"  OK", func(r row) string { return "  " + r[0] }},
		{"NAME", func(r row) string { return r[1] }},
		{"REASON", func(r row) string { return r[2] }},
	}
	rows := []row{{"++", "etl", ""}, {"!!", "model (GPU)", "no\tGPU\nhere\x1b[2J"}, {"++", "größe → ok", "x"}}
	var out bytes.Buffer
	require.NoError(t, WriteTable(&out, columns, rows))
	require.Equal(t, `  OK   NAME          REASON
  ++   etl           `+`
  !!   model (GPU)   no GPU here\x1b[2J
  ++   größe → ok    x
`, out.String())

	out.Reset()
	require.NoError(t, WriteTable(&out, WithoutHeads(columns), rows[:1]))
	require.Equal(t, "  ++   etl   \n", out.String())
}
