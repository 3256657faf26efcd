package term

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"krt.dev/kn-krt/pkg/legible"
)

// Column is a column of a table in which each row shows a value of type R.
type Column[R any] struct {
	// Head is the column's title.
	Head string
	// Cell is what the column shows of a row.
	Cell func(R) string
}

// WriteTable writes the heads and a line for each row, in kn's format: three spaces between
// columns, no frame. If no column has a head, there is no line of heads.
func WriteTable[R any](w io.Writer, columns []Column[R], rows []R) error {
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	cells, headed := make([]string, len(columns)), false
	for i, c := range columns {
		cells[i] = c.Head
		headed = headed || c.Head != ""
	}
	if headed {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	for _, row := range rows {
		for i, c := range columns {
			cells[i] = clean(c.Cell(row), i == 0)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// WithoutHeads returns the columns without their heads.
func WithoutHeads[R any](columns []Column[R]) []Column[R] {
	bare := make([]Column[R], len(columns))
	for i, c := range columns {
		bare[i].Cell = c.Cell
	}
	return bare
}

// clean is the text without line breaks and tabs, which would break the table, and
// [legible.Printable]. A first cell keeps the spaces it begins with.
func clean(cell string, first bool) string {
	text := legible.Printable(strings.Join(strings.Fields(cell), " "))
	if first {
		return cell[:len(cell)-len(strings.TrimLeft(cell, " "))] + text
	}
	return text
}
