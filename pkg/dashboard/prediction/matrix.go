package prediction

import (
	"cmp"
	"slices"
	"strconv"

	"krt.dev/kn-krt/pkg/data/quality"
)

// Matrix is a confusion matrix: a row for each true label.
type Matrix struct {
	// Columns are the predicted labels.
	Columns []string
	Rows    []Row
}

// Row is how predictions of one true label are distributed.
type Row struct {
	Label string
	// Support is how many there are; empty cells have none.
	Support string
	Cells   []Cell
}

// Cell is how often a label was predicted for another one, or for itself.
type Cell struct {
	// Percent is the share of its row, Count how many; both empty for none.
	Percent, Count string
	// Heat is the share in tenths, rounded up: 0 to 10.
	Heat int
	// Right says that it is on the diagonal: true and predicted label are the same.
	Right bool
}

// matrix is that of a summary, whose labels are few.
func matrix(s *quality.Summary) *Matrix {
	order := ordered(s.Labels)
	counts := map[[2]string]int64{}
	for _, c := range s.Confusion {
		counts[[2]string{c.True, c.Predicted}] += c.Count
	}
	m := &Matrix{}
	for _, truth := range order {
		m.Columns = append(m.Columns, Visible(truth.Label))
		if truth.Support == 0 {
			continue // it was never true: its row would be empty
		}
		row := Row{Label: Visible(truth.Label), Support: count(truth.Support)}
		for _, predicted := range order {
			n := counts[[2]string{truth.Label, predicted.Label}]
			cell := Cell{Right: truth.Label == predicted.Label && truth.Label != quality.Others}
			if n > 0 {
				cell.Percent, cell.Count = part(n, truth.Support), count(n)
				cell.Heat = int((10*n + truth.Support - 1) / truth.Support)
			}
			row.Cells = append(row.Cells, cell)
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

// ordered are labels in the order of numbers, if all are that, else as the store has them. All
// others are last.
func ordered(labels []quality.Label) []quality.Label {
	list := slices.Clone(labels)
	numbers := map[string]float64{}
	for _, l := range list {
		f, err := strconv.ParseFloat(l.Label, 64)
		if err != nil && l.Label != quality.Others {
			return list
		}
		numbers[l.Label] = f
	}
	slices.SortStableFunc(list, func(a, b quality.Label) int {
		if a.Label == quality.Others || b.Label == quality.Others {
			return cmp.Compare(b.Label, a.Label)
		}
		return cmp.Compare(numbers[a.Label], numbers[b.Label])
	})
	return list
}

// Label is how well one label was predicted.
type Label struct {
	Label                 string
	Precision, Recall, F1 Value
	Support, Predicted    string
}

func labels(s *quality.Summary) []Label {
	var list []Label
	for _, l := range ordered(s.Labels) {
		one := Label{
			Label: Visible(l.Label), Support: count(l.Support), Predicted: count(l.Predicted), F1: Value{Text: None},
			Precision: Value{shareOf(l.Precision), interval(l.Precision)}, Recall: Value{shareOf(l.Recall), interval(l.Recall)},
		}
		if l.F1 != nil {
			one.F1.Text = percent(*l.F1)
		}
		list = append(list, one)
	}
	return list
}
