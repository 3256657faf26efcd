package conformance_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"krt.dev/kn-krt/test/conformance"
)

// leftOut is the outcome of a case that the target does not allow to be tried.
const leftOut = "left out"

// table is what came of each case, by delivery and language.
type table struct {
	mu      sync.Mutex
	columns []string
	cells   map[string]map[string]string // case, column
}

func newTable() *table { return &table{cells: map[string]map[string]string{}} }

// column is the title of what is tried: with several workers it names them.
func column(d conformance.Delivery, l conformance.Language, workers int) string {
	if workers > 1 {
		return fmt.Sprintf("%s %s x%d", d, l, workers)
	}
	return fmt.Sprintf("%s %s", d, l)
}

func columnOf(target conformance.Target) string {
	if l, ok := target.(*local); ok {
		return column(l.delivery, l.language, l.workers)
	}
	return column(target.Delivery(), target.Language(), 1)
}

// note enters the outcome of a case.
func (r *table) note(name string, target conformance.Target, t *testing.T) {
	outcome := "ok"
	switch {
	case t.Failed():
		outcome = "FAIL"
	case t.Skipped():
		outcome = "skipped"
	}
	r.enter(name, columnOf(target), outcome)
}

// skipAll enters that nothing was tried.
func (r *table) skipAll(column string) {
	for _, c := range cases() {
		r.enter(c.name, column, "skipped")
	}
}

func (r *table) enter(name, column, outcome string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.columns, column) {
		r.columns = append(r.columns, column)
	}
	if r.cells[name] == nil {
		r.cells[name] = map[string]string{}
	}
	r.cells[name][column] = outcome
}

// String is the table as text, with a line on each case in which the deliveries
// differ by nature, and a count.
func (r *table) String() string {
	var b strings.Builder
	width := len("case")
	for _, c := range cases() {
		width = max(width, len(c.name))
	}
	fmt.Fprintf(&b, "%-*s", width, "case")
	for _, column := range r.columns {
		fmt.Fprintf(&b, "  %s", column)
	}
	b.WriteByte('\n')
	counts := map[string]int{}
	var notes []string
	for _, c := range cases() {
		row := r.cells[c.name]
		if row == nil {
			continue // left out by -run
		}
		fmt.Fprintf(&b, "%-*s", width, c.name)
		for _, column := range r.columns {
			counts[row[column]]++
			fmt.Fprintf(&b, "  %-*s", len(column), row[column])
		}
		if c.differs != "" {
			notes = mark(&b, notes, "the deliveries differ: "+c.differs)
		}
		if slices.Contains(slices.Collect(maps.Values(row)), leftOut) {
			notes = mark(&b, notes, "left out on a cluster: "+c.local)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d ok, %d FAIL, %d skipped, %d left out\n", counts["ok"], counts["FAIL"], counts["skipped"], counts[leftOut])
	for i, note := range notes {
		fmt.Fprintf(&b, "[%d] %s\n", i+1, note)
	}
	return b.String()
}

// mark marks a row by the number of its note, which is added if it is new.
func mark(b *strings.Builder, notes []string, note string) []string {
	if !slices.Contains(notes, note) {
		notes = append(notes, note)
	}
	fmt.Fprintf(b, "  [%d]", slices.Index(notes, note)+1)
	return notes
}
