package load_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
)

// outcome is what a fault did.
type outcome struct {
	fault
	begun, ended time.Time // the end is when all was ready and answered again
	left         []string  // objects
	failure      error

	sent, answered, hung int
	longest              time.Duration
	lost                 map[string]int // by what became of them
	examples             map[string]error
}

// add counts the requests begun from the fault on until all was well again.
func (o *outcome) add(results []result) {
	o.lost, o.examples = map[string]int{}, map[string]error{}
	for _, r := range results {
		if r.begun.Before(o.begun) || !r.begun.Before(o.ended) {
			continue
		}
		o.sent++
		o.longest = max(o.longest, r.took)
		if r.err == nil {
			o.answered++
		} else {
			name := r.lost
			if !strings.HasPrefix(name, "HTTP") {
				name = strings.ToUpper(r.kind[:4]) + " " + name
			}
			o.lost[name]++
			o.examples[name] = fmt.Errorf("begun %s after the fault, and took %s: %w", r.begun.Sub(o.begun).Round(time.Millisecond),
				r.took.Round(time.Millisecond), r.err)
		}
		if r.hung() {
			o.hung++
		}
	}
}

func (o *outcome) check(t *testing.T) {
	t.Helper()
	if errors.Is(o.failure, errLeftOut) {
		t.Logf("%s: %v", o.name, o.failure)
		return
	}
	assert.NoError(t, o.failure, o.name)
	assert.Zero(t, o.hung, "%s: requests that outlived their timeout", o.name)
	assert.Empty(t, o.left, "%s: objects left over", o.name)
	if o.harmless {
		assert.Empty(t, o.lost, "%s: lost requests", o.name)
	}
	for name, err := range o.examples {
		if unclear(name) {
			assert.NoError(t, err, "%s: %s is no clear status", o.name, name)
		}
	}
}

// unclear is an end that tells a caller nothing.
func unclear(name string) bool {
	return slices.ContainsFunc([]string{"no answer", "other", "Unknown", "Internal", "HTTP 500"},
		func(s string) bool { return strings.HasSuffix(name, s) })
}

func faultTable(outcomes []*outcome) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "fault\tsent\tanswered\tfailed\thung\tlongest\tall well after\tleft over")
	for _, o := range outcomes {
		if errors.Is(o.failure, errLeftOut) {
			fmt.Fprintf(w, "%s\t%v\n", o.name, errLeftOut)
			continue
		}
		var lost []string
		for _, name := range slices.Sorted(maps.Keys(o.lost)) {
			lost = append(lost, fmt.Sprintf("%d %s", o.lost[name], name))
		}
		if lost == nil {
			lost = []string{"0"}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%s\t%s\t%d\n", o.name, o.sent, o.answered, strings.Join(lost, ", "), o.hung,
			o.longest.Round(time.Millisecond), o.ended.Sub(o.begun).Round(100*time.Millisecond), len(o.left))
	}
	_ = w.Flush() // into memory
	for _, o := range outcomes {
		for name, err := range o.examples {
			fmt.Fprintf(&text, "%s: %s: %v\n", o.name, name, err)
		}
	}
	return text.String()
}
