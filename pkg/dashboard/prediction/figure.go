package prediction

import (
	"math"
	"slices"
	"strconv"

	"krt.dev/kn-krt/pkg/data/quality"
)

// Figure is one line of the figures: a value of each version.
type Figure struct {
	Name, Note string
	Values     []Value
	// Difference is that of the second version to the first one; empty if there is none to show.
	Difference string
}

// Value is a figure of one version, as text.
type Value struct {
	Text string
	// Detail is a count or an interval that belongs to it; it may be empty.
	Detail string
}

// amount is a value that can be subtracted.
type amount struct {
	value float64
	known bool
}

// figures are those of all subjects, in the same order.
func figures(of []Subject) []Figure {
	f := &figuring{of: of}
	f.line("Predictions", "", func(s *quality.Summary) (Value, amount) { return Value{Text: count(s.Total)}, amount{} })
	f.line("With a true value", "without an error", func(s *quality.Summary) (Value, amount) {
		return Value{part(s.Labelled, s.Total), count(s.Labelled)}, amount{}
	})
	f.share("Missing values", "", func(s *quality.Summary) (n, of int64) { return s.MissingValues, s.Total })
	f.share("New labels", "", func(s *quality.Summary) (n, of int64) { return s.NewLabels, s.Total })
	if slices.ContainsFunc(of, Subject.hasLabels) {
		f.accuracy()
	}
	if slices.ContainsFunc(of, Subject.hasNumbers) {
		f.error("Mean absolute error", func(n *quality.Numbers) float64 { return n.MAE })
		f.error("Root mean squared error", func(n *quality.Numbers) float64 { return n.RMSE })
	}
	return f.made
}

// figuring collects figures.
type figuring struct {
	of   []Subject
	made []Figure
}

// line adds a figure without a difference unless the amounts of two versions are known.
func (f *figuring) line(name, note string, of func(*quality.Summary) (Value, amount)) {
	f.add(name, note, of, points)
}

func (f *figuring) add(name, note string, of func(*quality.Summary) (Value, amount), difference func(float64) string) {
	figure := Figure{Name: name, Note: note}
	var amounts []amount
	for _, s := range f.of {
		value, amount := of(s.Summary)
		figure.Values, amounts = append(figure.Values, value), append(amounts, amount)
	}
	if len(amounts) == 2 && amounts[0].known && amounts[1].known {
		figure.Difference = difference(amounts[1].value - amounts[0].value)
	}
	f.made = append(f.made, figure)
}

func (f *figuring) share(name, note string, of func(*quality.Summary) (n, of int64)) {
	f.line(name, note, func(s *quality.Summary) (Value, amount) {
		n, all := of(s)
		if all == 0 {
			return Value{Text: None}, amount{}
		}
		return Value{part(n, all), count(n)}, amount{float64(n) / float64(all), true}
	})
}

// accuracy adds the four accuracies, as the original had them.
func (f *figuring) accuracy() {
	f.line("Accuracy", "the share of true values that were predicted", func(s *quality.Summary) (Value, amount) {
		if s.Accuracy == nil {
			return Value{Text: None}, amount{}
		}
		detail := interval(&s.Accuracy.Total)
		if detail == "" {
			detail = count(s.Correct) + " of " + count(s.Labelled)
		}
		return Value{shareOf(&s.Accuracy.Total), detail}, amount{s.Accuracy.Total.Value, true}
	})
	for _, one := range []struct {
		name, note string
		of         func(*quality.Accuracy) float64
	}{
		{"Accuracy, micro", "over all predictions: the same, as each has one label", func(a *quality.Accuracy) float64 { return a.Micro }},
		{"Accuracy, macro", "the mean of all labels, rare ones count as much", func(a *quality.Accuracy) float64 { return a.Macro }},
		{"Accuracy, weighted", "the mean of all labels by how often they are true", func(a *quality.Accuracy) float64 { return a.Weighted }},
	} {
		f.line(one.name, one.note, func(s *quality.Summary) (Value, amount) {
			if s.Accuracy == nil {
				return Value{Text: None}, amount{}
			}
			v := one.of(s.Accuracy)
			return Value{Text: percent(v)}, amount{v, true}
		})
	}
}

func (f *figuring) error(name string, of func(*quality.Numbers) float64) {
	f.add(name, "of numbers, in their own unit", func(s *quality.Summary) (Value, amount) {
		if s.Numbers == nil {
			return Value{Text: None}, amount{}
		}
		v := of(s.Numbers)
		return Value{Text: number(v)}, amount{v, true}
	}, signed)
}

// points is a difference of two shares, in percentage points.
func points(difference float64) string {
	p := math.Round(difference*1000) / 10
	if p == 0 {
		return "±0"
	}
	return sign(p) + strconv.FormatFloat(math.Abs(p), 'f', 1, 64) + " points"
}

func signed(difference float64) string {
	if difference == 0 {
		return "±0"
	}
	return sign(difference) + number(math.Abs(difference))
}

func sign(f float64) string {
	if f < 0 {
		return "−"
	}
	return "+"
}
