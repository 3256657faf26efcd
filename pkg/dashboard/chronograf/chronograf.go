// Package chronograf reads the dashboards of a bundle, which are files of InfluxData's Chronograf, as
// the original platform imported them: cells with queries in Flux or InfluxQL. What the store can
// respond to becomes a [Query]; a cell with anything else has a reason why it is not drawn.
package chronograf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Limits of a file.
const (
	MaxBytes   = 1 << 20
	MaxCells   = 100
	maxQueries = 16 // of a cell, after those with several columns are split
	maxQuery   = 16 << 10
	maxText    = 256 // bytes of a name
	maxColumns = 12  // of the grid
	maxRows    = 500
)

// Dashboard is a file.
type Dashboard struct {
	Name string
	// Cells are in the order of the page: from top to bottom, from left to right.
	Cells []Cell
	// More is how many cells there are above MaxCells, which are left out.
	More int
}

// Type is how a cell is drawn.
type Type string

// The types that are drawn.
const (
	Line  Type = "line"
	Bar   Type = "bar"
	Stat  Type = "stat"
	Table Type = "table"
)

// Cell is a cell of a dashboard.
type Cell struct {
	// X and Y are its place in a grid of twelve columns, W and H its size there.
	X, Y, W, H int
	Name       string
	Type       Type
	// Queries are what it shows; none if Reason says why it is not drawn.
	Queries []Query
	Reason  string
	// Label is that of the values, such as "ms"; Prefix and Suffix are next to each value.
	Label, Prefix, Suffix string
	// Digits is how many digits are shown after the decimal point, -1 if the file does not say.
	Digits int
	// Columns are what the columns of a table are called, by tag or label of a query; an empty
	// name hides the column.
	Columns map[string]string
}

// Query is a query of the store's measurements.
type Query struct {
	// Measurement and Field are what is read, Tags the values that tags must have.
	Measurement, Field string
	Tags               map[string]string
	// By are the tags for whose values there is a series each.
	By []string
	// Aggregate is one of mean, sum, min, max, count and last.
	Aggregate string
	// Step is the length of an interval; zero lets the page choose it. Whole means one value for
	// the whole time.
	Step  time.Duration
	Whole bool
	// Offset is by how much the query moves the begin of its intervals. The store's intervals begin at
	// full ones: a page says that it does not move them.
	Offset time.Duration
	// Over is the time until now that is read; zero lets the page choose it.
	Over time.Duration
	// Label is what the values are called; empty for the field's name.
	Label string
}

// file is what is read of a file. An export has the dashboard in a field of its own.
type file struct {
	fileDashboard
	Dashboard *fileDashboard `json:"dashboard"`
}

type fileDashboard struct {
	Name  string     `json:"name"`
	Cells []fileCell `json:"cells"`
}

type fileCell struct {
	X       float64 `json:"x"`
	Y       float64 `json:"y"`
	W       float64 `json:"w"`
	H       float64 `json:"h"`
	Name    string  `json:"name"`
	Type    string  `json:"type"`
	Queries []struct {
		Query string `json:"query"`
		Type  string `json:"type"`
	} `json:"queries"`
	Axes struct {
		Y struct {
			Label  string `json:"label"`
			Prefix string `json:"prefix"`
			Suffix string `json:"suffix"`
		} `json:"y"`
	} `json:"axes"`
	FieldOptions []struct {
		Internal string `json:"internalName"`
		Display  string `json:"displayName"`
		Visible  *bool  `json:"visible"`
	} `json:"fieldOptions"`
	DecimalPlaces struct {
		Enforced bool    `json:"isEnforced"`
		Digits   float64 `json:"digits"`
	} `json:"decimalPlaces"`
}

// Parse reads a file. The error says that it is not one of Chronograf's.
func Parse(text []byte) (*Dashboard, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", MaxBytes)
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("it is not a dashboard of Chronograf: %w", err)
	}
	from := f.fileDashboard
	if f.Dashboard != nil {
		from = *f.Dashboard
	}
	if from.Cells == nil {
		return nil, fmt.Errorf("it is not a dashboard of Chronograf: it has no cells")
	}
	d := &Dashboard{Name: short(from.Name), More: max(0, len(from.Cells)-MaxCells)}
	for _, c := range from.Cells[:len(from.Cells)-d.More] {
		d.Cells = append(d.Cells, c.cell())
	}
	slices.SortStableFunc(d.Cells, func(a, b Cell) int {
		if a.Y != b.Y {
			return a.Y - b.Y
		}
		return a.X - b.X
	})
	return d, nil
}

func (f *fileCell) cell() Cell {
	c := Cell{
		X: within(f.X, 0, maxColumns-1), Y: within(f.Y, 0, maxRows), H: within(f.H, 1, maxColumns), Name: short(f.Name),
		Label: short(f.Axes.Y.Label), Prefix: short(f.Axes.Y.Prefix), Suffix: short(f.Axes.Y.Suffix), Digits: -1,
		Columns: map[string]string{},
	}
	c.W = within(f.W, 1, maxColumns-c.X)
	if f.DecimalPlaces.Enforced {
		c.Digits = within(f.DecimalPlaces.Digits, 0, 10)
	}
	for _, o := range f.FieldOptions[:min(len(f.FieldOptions), maxQueries)] {
		switch {
		case o.Visible != nil && !*o.Visible:
			c.Columns[short(o.Internal)] = ""
		case o.Display != "":
			c.Columns[short(o.Internal)] = short(o.Display)
		}
	}
	var err error
	if c.Type, err = drawn(f.Type); err == nil {
		err = f.queries(&c)
	}
	if err != nil {
		c.Queries, c.Reason = nil, err.Error()
	}
	return c
}

// queries reads the cell's queries into c.
func (f *fileCell) queries(c *Cell) error {
	for _, q := range f.Queries {
		parse := parseInfluxQL
		if q.Type == "flux" || strings.Contains(q.Query, "|>") {
			parse = parseFlux
		}
		if len(q.Query) > maxQuery {
			return fmt.Errorf("a query is larger than %d bytes", maxQuery)
		}
		read, err := parse(q.Query)
		if err != nil {
			return err
		}
		if c.Queries = append(c.Queries, read...); len(c.Queries) > maxQueries {
			return fmt.Errorf("it has more than %d queries", maxQueries)
		}
	}
	if len(c.Queries) == 0 {
		return fmt.Errorf("it has no query")
	}
	if c.Type == Line || c.Type == Bar {
		for _, q := range c.Queries {
			if q.Whole {
				return fmt.Errorf("a query has one value for the whole time, which is not a line")
			}
		}
	}
	return nil
}

// drawn is how a cell of that type is drawn. Stacked lines are drawn as lines, a gauge as its number.
func drawn(name string) (Type, error) {
	switch name {
	case "line", "line-stacked", "line-stepplot", "line-plus-single-stat":
		return Line, nil
	case "bar":
		return Bar, nil
	case "single-stat", "gauge":
		return Stat, nil
	case "table":
		return Table, nil
	}
	return "", fmt.Errorf("cells of type %q are not drawn", short(name))
}

func within(n float64, least, most int) int {
	if !(n >= float64(least)) { // also for what is not a number
		return least
	}
	return int(min(n, float64(most)))
}

// short returns the text up to maxText bytes.
func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return clip.Text(text, maxText-len("…"))
}
