package recent

import (
	"cmp"
	"fmt"
	"html/template"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/waterfall"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

const (
	// maxOverview is how many of the last requests of a workflow are listed next to other workflows.
	maxOverview = 15
	// shownID is how much of a request's id a list has, and maxError of the text of its error.
	shownID, maxError = 8, 200
)

// List is some requests of a workflow.
type List struct {
	// Kind is "failed", "slowest" or "last".
	Kind, Title, Empty string
	// Scale is how long the time is that a bar of full width stands for: one for the whole list.
	Scale string
	Rows  []Row
}

// Row is a request in a list.
type Row struct {
	// ID is that of the element, Path the request's page; empty if it has none.
	ID, Path, Short  string
	End              time.Time
	Code, Duration   string
	Failed           bool
	Steps            template.HTML
	Node, How, Error string
	// Sent is how many messages its stream had; empty if it has none.
	Sent string
}

// Lister makes lists.
type Lister struct {
	Draw *waterfall.Drawer
	// Path is the page of the request of an id; empty if it has none.
	Path func(id string) string
	// All lists all that is kept of the last requests, instead of some.
	All bool
}

// Lists are the lists of a workflow.
func (l Lister) Lists(w *Workflow) (lists []List, err error) {
	last := w.Last
	if !l.All {
		last = last[:min(len(last), maxOverview)]
	}
	for _, one := range []struct {
		list List
		of   []inspection.Request
	}{
		{List{Kind: "failed", Title: "Failed", Empty: "None has failed."}, w.Failures},
		{List{Kind: "slowest", Title: "Slowest", Empty: "No requests yet."}, w.Slowest},
		{List{Kind: "last", Title: "Last", Empty: "No requests yet."}, last},
	} {
		most := 0.0
		for i := range one.of {
			most = max(most, waterfall.Length(&one.of[i]))
		}
		one.list.Scale = legible.Spaced(time.Duration(most * float64(time.Millisecond)))
		for i := range one.of {
			row, err := l.row(&one.of[i], most)
			if err != nil {
				return nil, err
			}
			row.ID = fmt.Sprintf("%s:%s:%s", one.list.Kind, w.Name, row.ID)
			one.list.Rows = append(one.list.Rows, row)
		}
		lists = append(lists, one.list)
	}
	return lists, nil
}

// row makes a line of a list.
func (l Lister) row(one *inspection.Request, scale float64) (Row, error) {
	steps, err := l.Draw.Strip(waterfall.Within(one, scale))
	row := Row{
		ID: fmt.Sprintf("%s:%d:%v", one.ID, one.Begin.UnixNano(), one.Background), Short: one.ID[:min(len(one.ID), shownID)],
		End: one.End(), Code: one.Code, Duration: legible.Spaced(one.Duration()), Failed: one.Failed(), Steps: steps,
		Node: one.Node, How: one.How(), Sent: one.Stream.Sent(), Error: legible.Line(cmp.Or(one.Error, one.Reason), maxError),
	}
	if one.Early == "exit" {
		for _, s := range one.Steps {
			if s.Outcome == "exit" {
				row.How += " at " + legible.Line(s.Node, maxError)
			}
		}
	}
	row.Path = l.Path(one.ID)
	return row, err
}
