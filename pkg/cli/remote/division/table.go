package division

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
)

// row is a line of the table: a side, the limits, or the verdicts.
type row struct {
	side, version, weight, requests string
	value                           func(v1alpha1.CanaryValue) string
}

// Write writes what the sides of a runtime get, how each does, and the verdict.
func Write(s term.Streams, r *v1alpha1.Runtime) error {
	published := cmp.Or(r.Status.PublishedVersion, r.Spec.PublishedVersion)
	if published == "" {
		_, err := fmt.Fprintf(s.Out, "Nothing is published in namespace '%s'.\n", r.Namespace)
		return err
	}
	canary := r.Status.Canary
	rows := []row{{side: "published", version: published, weight: share(100)}}
	if canary != nil {
		rows = canaryRows(published, canary)
	}
	if err := term.WriteTable(s.Out, columns(canary), rows); err != nil {
		return err
	}
	for _, line := range lines(r) {
		fmt.Fprintf(s.Out, "%s\n", legible.Printable(line))
	}
	return nil
}

func canaryRows(published string, s *v1alpha1.CanaryStatus) []row {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	rows := []row{
		{"published", published, share(100 - s.Weight), count(s.Samples.Published),
			func(v v1alpha1.CanaryValue) string { return v.Published }},
		{"canary", s.Version, share(s.Weight), count(s.Samples.Canary), func(v v1alpha1.CanaryValue) string { return v.Canary }},
	}
	further := []row{
		{side: "limit", value: func(v v1alpha1.CanaryValue) string { return v.Limit }},
		{side: "verdict", value: func(v v1alpha1.CanaryValue) string { return strings.ToLower(v.Verdict) }},
	}
	for _, row := range further {
		for _, v := range s.Values {
			if row.value(v) != "" {
				rows = append(rows, row)
				break
			}
		}
	}
	return rows
}

func share(percent int32) string { return fmt.Sprintf("%d %%", percent) }

// columns are the columns of the table, one for each value of the canary, which may be nil.
func columns(canary *v1alpha1.CanaryStatus) []term.Column[row] {
	columns := []term.Column[row]{
		{Head: "SIDE", Cell: func(r row) string { return r.side }},
		{Head: "VERSION", Cell: func(r row) string { return r.version }},
		{Head: "WEIGHT", Cell: func(r row) string { return r.weight }},
	}
	if canary == nil {
		return columns
	}
	columns = append(columns, term.Column[row]{Head: "REQUESTS", Cell: func(r row) string { return r.requests }})
	for _, v := range canary.Values {
		columns = append(columns, term.Column[row]{
			Head: valueHead(v.Name), Cell: func(r row) string { return r.value(v) },
		})
	}
	return columns
}

// valueHead is the title of a value's column.
func valueHead(name string) string {
	if name == "errorRatio" {
		return "ERRORS"
	}
	return strings.ToUpper(name)
}

// lines are what is said below the table.
func lines(r *v1alpha1.Runtime) []string {
	spec, s := r.Spec.Canary, r.Status.Canary
	switch {
	case spec == nil && s == nil:
		return []string{"No version is a canary."}
	case s == nil:
		return []string{fmt.Sprintf("%s: waiting for the controller to see the change", spec.Version)}
	}
	var lines []string
	if spec != nil && spec.Version == s.Version {
		for _, m := range spec.Match {
			lines = append(lines, fmt.Sprintf("Requests with %s: %s go to %s.", m.Metadata, m.Value, s.Version))
		}
		if spec.Sticky != nil {
			lines = append(lines, fmt.Sprintf("%s decides which version a request gets.", spec.Sticky.Metadata))
		}
	}
	if n := s.Samples; s.Mirror > 0 {
		text := fmt.Sprintf("%d %% of the published version's requests are copied", s.Mirror)
		if n.Mirrored > 0 {
			text += fmt.Sprintf(": %d of %d responses were equal (%.4g %%)", n.Equal, n.Mirrored, 100*float64(n.Equal)/float64(n.Mirrored))
		}
		lines = append(lines, text+".")
	}
	if n := s.Samples.Fallbacks; n > 0 {
		lines = append(lines, fmt.Sprintf("%d requests fell back to %s.", n, cmp.Or(r.Status.PublishedVersion, "the published version")))
	}
	return append(lines, Verdict(r))
}

// Verdict is where the canary is and why, in a sentence.
func Verdict(r *v1alpha1.Runtime) string {
	s := r.Status.Canary
	text := string(s.Phase)
	if spec := r.Spec.Canary; spec != nil && spec.Plan != nil && s.Step > 0 {
		text += fmt.Sprintf(", step %d of %d", s.Step, len(spec.Plan.Steps))
	}
	if s.Since != nil {
		text += fmt.Sprintf(" (%s)", duration.HumanDuration(time.Since(s.Since.Time)))
	}
	if s.Message != "" {
		text += ": " + s.Message
	}
	return text
}
