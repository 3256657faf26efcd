package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is a mistake in a proto file.
type Error struct {
	// File is the path of the proto, relative to the bundle's root.
	File string
	// Line and Column count from 1, the column in characters; 0 means the file as a whole.
	Line, Column int
	// Text is what is wrong, without the place.
	Text string
}

// Error returns "file:line:col: text".
func (e Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text)
}

// Errors are all mistakes found in a compilation, in order of file and place.
type Errors []Error

// Error returns one line per mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns e in order of place, the first mistake of each place: the parser's second
// one there is a consequence.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(e, func(a, b Error) bool {
		samePlace := a.File == b.File && a.Line == b.Line && a.Column == b.Column
		return samePlace && (a.Line > 0 || a.Text == b.Text)
	})
}
