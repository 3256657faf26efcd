package conformance_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"krt.dev/kn-krt/test/conformance"
)

// testCase is one promise.
type testCase struct {
	// name says it; the first word or two are the group's.
	name string
	// on is how the version is to be started; Standard if empty.
	on conformance.Variant
	// run tries it.
	run func(*version)
	// differs says why the deliveries cannot behave alike, where they cannot.
	differs string
}

// cases are all of them.
func cases() []testCase {
	return slices.Concat(
		successCases(), answerCases(), outageCases(), deadlineCases(), retryCases(),
		tokenCases(), replicaCases(), sizeCases(), loadCases(), webCases(), contractCases(), wireCases(),
	)
}

// variants are the ways to start a version, in the order of the table.
func variants() []conformance.Variant {
	return []conformance.Variant{
		conformance.Standard, conformance.Hasty, conformance.Paired, conformance.Unsteady, conformance.Stopping,
	}
}

func TestConformance(t *testing.T) {
	results := newTable()
	// Logged at the end: `go test -v` shows it.
	defer func() { t.Log("\n" + results.String()) }()
	for _, delivery := range []conformance.Delivery{conformance.Direct, conformance.Sequence} {
		for _, language := range []conformance.Language{conformance.Go, conformance.Python} {
			t.Run(fmt.Sprintf("%s/%s", delivery, language), func(t *testing.T) {
				if _, err := findPython(); language == conformance.Python && err != nil {
					results.skipAll(delivery, language)
					t.Skipf("no Python nodes: %v", err)
				}
				for _, variant := range variants() {
					t.Run(string(variant), func(t *testing.T) {
						tryAll(t, startLocal(t, delivery, language, variant), variant, results)
					})
				}
			})
		}
	}
}

// tryAll tries the cases of one variant.
func tryAll(t *testing.T, target conformance.Target, variant conformance.Variant, results *table) {
	for _, c := range cases() {
		if c.on == "" {
			c.on = conformance.Standard
		}
		if c.on != variant {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if variant == conformance.Hasty {
				t.Parallel() // its cases wait for deadlines
			}
			defer func() { results.note(c.name, target, t) }()
			c.run(open(t, target))
		})
	}
}

// table is what came of each case, by delivery and language.
type table struct {
	mu      sync.Mutex
	columns []string
	cells   map[string]map[string]string // case, column
}

func newTable() *table { return &table{cells: map[string]map[string]string{}} }

func column(d conformance.Delivery, l conformance.Language) string {
	return fmt.Sprintf("%s %s", d, l)
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
	r.enter(name, column(target.Delivery(), target.Language()), outcome)
}

// skipAll enters that nothing was tried.
func (r *table) skipAll(d conformance.Delivery, l conformance.Language) {
	for _, c := range cases() {
		r.enter(c.name, column(d, l), "skipped")
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
			if !slices.Contains(notes, c.differs) {
				notes = append(notes, c.differs)
			}
			fmt.Fprintf(&b, "  [%d]", slices.Index(notes, c.differs)+1)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d ok, %d FAIL, %d skipped\n", counts["ok"], counts["FAIL"], counts["skipped"])
	for i, note := range notes {
		fmt.Fprintf(&b, "[%d] the deliveries differ: %s\n", i+1, note)
	}
	return b.String()
}
