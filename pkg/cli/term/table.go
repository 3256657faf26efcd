package term

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Table writes rows in columns as kn does: three spaces between, no frame.
type Table struct{ w *tabwriter.Writer }

// NewTable begins a table; without columns it has no head.
func NewTable(w io.Writer, columns ...string) *Table {
	t := &Table{w: tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)}
	if len(columns) > 0 {
		t.Row(columns...)
	}
	return t
}

// Row writes one row. A first cell keeps the spaces it begins with.
func (t *Table) Row(cells ...string) {
	clean := make([]string, len(cells))
	for i, cell := range cells {
		// A line break or tab in a cell would break the table.
		clean[i] = strings.Join(strings.Fields(cell), " ")
		if i == 0 {
			clean[i] = cell[:len(cell)-len(strings.TrimLeft(cell, " "))] + clean[i]
		}
	}
	fmt.Fprintln(t.w, strings.Join(clean, "\t"))
}

// Flush writes what is not written yet: columns are as wide as their widest cell.
func (t *Table) Flush() error { return t.w.Flush() }
