package prediction

import (
	"fmt"
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data/quality"
)

var start = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)

func share(v float64, interval ...float64) *quality.Share {
	s := &quality.Share{Value: v}
	if len(interval) == 2 {
		s.Interval = &[2]float64{interval[0], interval[1]}
	}
	return s
}

// classifier is a summary of 10 predictions of three labels.
func classifier() *quality.Summary {
	f1 := 0.857
	return &quality.Summary{
		Total: 12, MissingValues: 1, NewLabels: 1, Labelled: 10, Correct: 7, Classes: 3,
		Accuracy: &quality.Accuracy{Total: *share(0.7, 0.397, 0.892), Micro: 0.7, Macro: 0.4167, Weighted: 0.7},
		Labels: []quality.Label{
			{Label: "bird", Predicted: 1, Precision: share(0)},
			{Label: "cat", Support: 8, Predicted: 6, Precision: share(1), Recall: share(0.75, 0.4, 0.9), F1: &f1},
			{Label: "dog", Support: 2, Predicted: 3, Precision: share(1.0 / 3), Recall: share(0.5)},
		},
		Confusion: []quality.Confusion{
			{True: "cat", Predicted: "cat", Count: 6}, {True: "cat", Predicted: "dog", Count: 2},
			{True: "dog", Predicted: "dog", Count: 1}, {True: "dog", Predicted: "bird", Count: 1},
		},
		Over: []quality.Interval{
			{Start: start, Total: 7, MissingValues: 1, Labelled: 6, Correct: 6, Accuracy: share(1)},
			{Start: start.Add(3 * time.Hour), Total: 5, NewLabels: 1, Labelled: 4, Correct: 1, Accuracy: share(0.25)},
		},
	}
}

// regression is a summary of numbers.
func regression() *quality.Summary {
	return &quality.Summary{
		Total: 3, Labelled: 3, Numbers: &quality.Numbers{Count: 3, MAE: 1234.56, RMSE: 2000}, Labels: []quality.Label{},
		Over: []quality.Interval{{Start: start, Total: 3, Labelled: 3, Numbers: &quality.Numbers{Count: 3, MAE: 1234.56, RMSE: 2000}}},
	}
}

func day() Range { return Range{From: start, To: start.Add(24 * time.Hour)} }

func figure(t *testing.T, r *Report, name string) Figure {
	t.Helper()
	for _, f := range r.Figures {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no figure %q in %v", name, r.Figures)
	return Figure{}
}

func TestAClassifier(t *testing.T) {
	r := Make([]Subject{{Version: "v1", Summary: classifier()}}, day())
	require.Equal(t, []string{"v1"}, r.Versions)
	require.Equal(t, []Value{{"83.3 %", "10"}}, figure(t, r, "With a true value").Values)
	require.Equal(t, []Value{{"8.3 %", "1"}}, figure(t, r, "Missing values").Values)
	require.Equal(t, []Value{{"70 %", "39.7 % to 89.2 %"}}, figure(t, r, "Accuracy").Values)
	require.Equal(t, []Value{{Text: "41.7 %"}}, figure(t, r, "Accuracy, macro").Values)
	v := r.Views[0]
	require.Nil(t, v.Scatter)
	require.Equal(t, []string{"bird", "cat", "dog"}, v.Matrix.Columns)
	require.Len(t, v.Matrix.Rows, 2, "bird was never true")
	require.Equal(t, Row{Label: "cat", Support: "8", Cells: []Cell{
		{}, {Percent: "75 %", Count: "6", Heat: 8, Right: true}, {Percent: "25 %", Count: "2", Heat: 3},
	}}, v.Matrix.Rows[0])
	require.Equal(t, Label{Label: "cat", Precision: Value{Text: "100 %"}, Recall: Value{"75 %", "40 % to 90 %"}, F1: Value{Text: "85.7 %"},
		Support: "8", Predicted: "6"}, v.Labels[1])
	require.Equal(t, None, v.Labels[0].Recall.Text)
	require.Equal(t, "hour", v.Over.Per)
	require.Len(t, v.Over.Bars, 2)
	require.Equal(t, "2024-05-06 03:00 UTC: 1 right, 3 wrong", v.Over.Bars[1].Title)
	require.InDelta(t, 150, v.Over.Bars[0].Height, 0.1, "the highest bar has all of the plot")
	require.Equal(t, OverRow{Start: start.Add(3 * time.Hour), Total: "5", Right: "1", Wrong: "3", Share: "25 %", Missing: "0", New: "1",
		MeanAbs: None, RMS: None}, v.Over.Rows[1])
}

func TestNumbers(t *testing.T) {
	twice := quality.Sample{Date: start, True: 10, Predicted: 12.5}
	samples := []quality.Sample{twice, {Date: start, True: -5, Predicted: -5}, twice}
	r := Make([]Subject{{Version: "v1", Summary: regression(), Samples: samples}}, day())
	v := r.Views[0]
	require.Nil(t, v.Matrix)
	require.Equal(t, []Value{{Text: "1235"}}, figure(t, r, "Mean absolute error").Values)
	require.True(t, v.Over.Errors)
	require.Len(t, v.Scatter.Dots, 2, "dots at the same place are one")
	require.Len(t, v.Scatter.Rows, 3)
	require.Equal(t, ScatterRow{start, "10", "12.5", "+2.5"}, v.Scatter.Rows[0])
	for _, dot := range v.Scatter.Dots {
		require.True(t, dot.X > v.Scatter.Left && dot.X < v.Scatter.Right && dot.Y > v.Scatter.Top && dot.Y < v.Scatter.Bottom, dot)
	}
}

// TestSmallIntegers: they are labels and numbers, unless there are many of them, or others.
func TestSmallIntegers(t *testing.T) {
	s := classifier()
	s.Numbers = &quality.Numbers{Count: 10, MAE: 0.3, RMSE: 0.5}
	s.Labels[0].Label, s.Labels[1].Label, s.Labels[2].Label = "0", "1", "10"
	v := Make([]Subject{{Version: "v1", Summary: s}}, day()).Views[0]
	require.NotNil(t, v.Matrix)
	require.False(t, v.Over.Errors)
	s.Classes = 51
	require.Nil(t, Make([]Subject{{Summary: s}}, day()).Views[0].Matrix)
	s.Classes, s.Labelled = 3, 11
	require.Nil(t, Make([]Subject{{Summary: s}}, day()).Views[0].Matrix, "one pair is not of labels")
}

func TestTwoVersions(t *testing.T) {
	better := classifier()
	better.Accuracy.Total, better.Correct = *share(0.8), 8
	better.Over[0].Labelled, better.Over[0].Correct = 60, 60
	r := Make([]Subject{{Version: "v1", Summary: classifier()}, {Version: "v2", Summary: better}}, day())
	require.Equal(t, "+10.0 points", figure(t, r, "Accuracy").Difference)
	require.Equal(t, "±0", figure(t, r, "Missing values").Difference)
	require.Empty(t, figure(t, r, "Predictions").Difference)
	require.InDelta(t, 15, r.Views[0].Over.Bars[0].Height, 0.1, "both charts have one scale")
	require.InDelta(t, 150, r.Views[1].Over.Bars[0].Height, 0.1)
	r = Make([]Subject{{Summary: regression()}, {Summary: classifier()}}, day())
	require.Equal(t, []Value{{Text: None}, {"70 %", "39.7 % to 89.2 %"}}, figure(t, r, "Accuracy").Values)
	require.Empty(t, figure(t, r, "Accuracy").Difference)
}

func TestNothing(t *testing.T) {
	r := Make([]Subject{{Version: "v1", Summary: &quality.Summary{}}}, day())
	require.Equal(t, View{Version: "v1"}, r.Views[0])
	require.Equal(t, None, figure(t, r, "Missing values").Values[0].Text)
}

func TestVisible(t *testing.T) {
	for label, want := range map[string]string{
		"cat": "cat", "": "(all others)", " ": `\u{20}`, " a b ": `\u{20}a b\u{20}`, "a\x00\n": `a\u{0}\u{a}`,
		"\u202egnp": `\u{202e}gnp`, "<script>": "<script>", "日本": "日本", "\u200b": `\u{200b}`, "\ufffd": "\ufffd",
	} {
		require.Equal(t, want, Visible(label), "%q", label)
	}
}

func TestTexts(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.5: "50 %", 0.123: "12.3 %", 0.00001: "< 0.1 %", 0.99999: "> 99.9 %", 0.9994: "99.9 %",
	} {
		require.Equal(t, want, percent(share))
	}
	require.Equal(t, "1\u202f234\u202f567", count(1234567))
	require.Equal(t, "-123", count(-123))
	require.Equal(t, "123", count(123))
	require.Equal(t, "12\u202f346", number(12345.6))
	require.Equal(t, "1.235e+12", number(1234567890123))
	require.Equal(t, "−2.5", signed(-2.5))
}

func TestParseRange(t *testing.T) {
	now := start.Add(100 * time.Hour)
	parse := func(query string) (Range, error) {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		return ParseRange(values, now, start, start.Add(time.Hour))
	}
	for query, want := range map[string]Range{
		"":                    {now.Add(-Week), now, "7d"},
		"range=24h":           {now.Add(-24 * time.Hour), now, "24h"},
		"range=all":           {start, start.Add(2 * time.Hour), "all"},
		"from=2024-05-01":     {start.Add(-5 * 24 * time.Hour), now, ""},
		"to=2024-05-06T07:00": {start.Add(7*time.Hour - Week), start.Add(7 * time.Hour), ""},
		"from=2024-05-06T02:00:00%2B02:00&to=2024-05-06T01:00:00Z": {start, start.Add(time.Hour), ""},
	} {
		got, err := parse(query)
		require.NoError(t, err, query)
		require.Equal(t, want, got, query)
	}
	for _, query := range []string{"range=x", "from=x", "to=2024-13-01", "from=2024-05-06&to=2024-05-06"} {
		_, err := parse(query)
		require.Error(t, err, query)
	}
	require.Equal(t, "hour", Range{From: start, To: start.Add(Week)}.Per())
	require.Equal(t, "day", Range{From: start, To: start.Add(Week + 1)}.Per())
}

// TestBounds: charts of any time and of any numbers have a bounded number of finite places.
func TestBounds(t *testing.T) {
	long := Range{From: start.AddDate(-20, 0, 0), To: start}
	s := classifier()
	s.Over = nil
	for at := long.From; at.Before(long.To); at = at.Add(24 * time.Hour) {
		s.Over = append(s.Over, quality.Interval{Start: at.Truncate(24 * time.Hour), Total: 1, Labelled: 1, Correct: 1})
	}
	over := Make([]Subject{{Summary: s}}, long).Views[0].Over
	require.LessOrEqual(t, len(over.Bars), maxBars+1)
	require.Equal(t, "19 days", over.Per)
	require.LessOrEqual(t, len(over.X), 20)
	for _, ends := range [][2]float64{{-1e100, 1e100}, {0, 0}, {1e16, 1e16 + 2}, {5e-324, 0}, {1e100, 1e100}} {
		scatter := scatter([]quality.Sample{{True: ends[0], Predicted: ends[1]}})
		require.LessOrEqual(t, len(scatter.Y), 18, ends)
		for _, tick := range scatter.Y {
			require.False(t, math.IsNaN(tick.At) || math.IsInf(tick.At, 0), ends)
		}
		require.False(t, math.IsNaN(scatter.Dots[0].X), ends)
	}
}

// TestManyClasses: a matrix has the labels that the summary has, and all others last.
func TestManyClasses(t *testing.T) {
	s := &quality.Summary{Total: 60, Labelled: 60, Classes: 60, Accuracy: &quality.Accuracy{}}
	for i := range 50 {
		s.Labels = append(s.Labels, quality.Label{Label: fmt.Sprintf("%02d<b>", 49-i), Support: 1})
	}
	s.Labels = append(s.Labels, quality.Label{Label: quality.Others, Support: 10, Predicted: 3})
	v := Make([]Subject{{Summary: s}}, day()).Views[0]
	require.Equal(t, 60, v.Classes)
	require.Len(t, v.Matrix.Columns, 51)
	require.Equal(t, "(all others)", v.Matrix.Columns[50])
}
