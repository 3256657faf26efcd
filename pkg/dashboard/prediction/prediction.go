// Package prediction makes of summaries of predictions what a page shows: figures, a confusion
// matrix, charts. It is pure: it reads nothing, and makes no markup.
package prediction

import (
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
)

// MaxClasses is how many labels a matrix has at most; all others are one more.
const MaxClasses = 50

// Subject is a version and what is known of its predictions.
type Subject struct {
	Version string
	Summary *quality.Summary
	// Samples are single predictions of numbers, for a scatter.
	Samples []quality.Sample
}

// hasLabels reports whether the values are labels, for which being equal means something. Numbers
// are that if all of them are integers of few digits, and there are not too many.
func (s Subject) hasLabels() bool {
	var labelled int64
	for _, l := range s.Summary.Labels {
		labelled += l.Support
	}
	switch {
	case labelled == 0:
		return false
	case s.Summary.Numbers != nil:
		return labelled == s.Summary.Labelled && s.Summary.Classes <= MaxClasses
	}
	return true
}

func (s Subject) hasNumbers() bool { return s.Summary.Numbers != nil }

// Report is what the page shows of one version, or of two next to each other.
type Report struct {
	// Versions are their names, in the order of the Values of each figure.
	Versions []string
	Figures  []Figure
	Views    []View
}

// View is what is shown of one version. What there is nothing of is nil.
type View struct {
	Version string
	Total   int64
	// Over is how predictions were over time.
	Over   *Over
	Matrix *Matrix
	// Labels are how well each was predicted.
	Labels  []Label
	Scatter *Scatter
	// Classes is how many labels there are, if that is more than are shown.
	Classes int
	// Truncated says that the store has counted the most frequent pairs of values only.
	Truncated bool
}

// Make makes a report of the subjects for a time.
func Make(of []Subject, over Range) *Report {
	r := &Report{Figures: figures(of)}
	for _, s := range of {
		r.Versions = append(r.Versions, Visible(s.Version))
		v := View{Version: Visible(s.Version), Total: s.Summary.Total, Truncated: s.Summary.Truncated, Over: overTime(s, over)}
		if s.hasLabels() {
			v.Matrix, v.Labels = matrix(s.Summary), labels(s.Summary)
			if s.Summary.Classes > MaxClasses {
				v.Classes = s.Summary.Classes
			}
		}
		if s.hasNumbers() {
			v.Scatter = scatter(s.Samples)
		}
		r.Views = append(r.Views, v)
	}
	sameScale(r.Views)
	return r
}

// Week is the longest time that is shown by the hour: longer ones are by the day.
const Week = 7 * 24 * time.Hour
