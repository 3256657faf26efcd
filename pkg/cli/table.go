package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// table writes rows in columns as kn does: three spaces between, no frame.
type table struct{ w *tabwriter.Writer }

// newTable begins a table; without columns it has no head.
func newTable(w io.Writer, columns ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)}
	if len(columns) > 0 {
		t.row(columns...)
	}
	return t
}

// row writes one row. A first cell keeps the spaces it begins with.
func (t *table) row(cells ...string) {
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

func (t *table) flush() error { return t.w.Flush() }

// age is how long ago t was, as kn and kubectl write it; nothing if it never was.
func age(t metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(time.Since(t.Time))
}

// Signs of a state: kn's.
const (
	markGood    = "++"
	markBad     = "!!"
	markUnknown = "??"
	markInfo    = " I"
	markWarning = " W"
)

// mark is the sign of a condition.
func mark(c metav1.Condition) string {
	refused := c.Type == v1alpha1.ConditionStopRefused || c.Type == v1alpha1.ConditionDeleteRefused
	switch {
	case c.Status == metav1.ConditionTrue && refused, c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonBehind:
		return markWarning
	case c.Status == metav1.ConditionTrue:
		return markGood
	case c.Status == metav1.ConditionFalse && needsNobody(c.Reason):
		return markInfo
	case c.Status == metav1.ConditionFalse:
		return markBad
	default:
		return markUnknown
	}
}

// paint colours a sign on a terminal.
func (s Streams) paint(sign string) string {
	colour := ""
	switch sign {
	case markGood:
		colour = colourGood
	case markBad:
		colour = colourBad
	case markUnknown, markWarning:
		colour = colourWarn
	}
	if !s.TTY || colour == "" {
		return sign
	}
	return colour + sign + colourReset
}
