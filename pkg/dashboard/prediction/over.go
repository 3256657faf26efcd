package prediction

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/data/quality"
)

// Places in the chart over time.
const (
	overWidth, overHeight = 784, 190
	overLeft, overRight   = 52.0, 752.0
	overTop, overBottom   = 10.0, 160.0
	// maxBars is how many bars it has at most: of more intervals, several are one bar.
	maxBars         = 400
	mostBar, barGap = 24.0, 0.15 // the widest bar, and the part of its room that is left free
)

// Over is a chart of predictions over time, and its table.
type Over struct {
	// Per is the length of an interval: "hour", "day" or, for a long time, several.
	Per string
	// Errors says that the bars are mean absolute errors; else they count what was right and what
	// was wrong.
	Errors                   bool
	Width, Height            int
	Left, Right, Top, Bottom float64 // ends of the plot
	Bars                     []Bar
	X, Y                     []Tick
	Rows                     []OverRow

	parts []period
	step  time.Duration
	over  Range
}

// Bar is one interval. What was wrong is on top of what was right; of errors there is only Y.
type Bar struct {
	X, Width            float64
	Y, Height           float64
	WrongY, WrongHeight float64
	// Title says it in words.
	Title string
}

// OverRow is one interval in the table.
type OverRow struct {
	Start                                                  time.Time
	Total, Right, Wrong, Share, Missing, New, MeanAbs, RMS string
}

// period is what is known of one interval, or of several.
type period struct {
	start            time.Time
	total            int64
	labelled         int64
	right            int64
	missing, unknown int64
	numbers          int64
	absolute, square float64
}

func (p *period) add(i quality.Interval) {
	p.total += i.Total
	p.labelled += i.Labelled
	p.right += i.Correct
	p.missing += i.MissingValues
	p.unknown += i.NewLabels
	if n := i.Numbers; n != nil {
		p.numbers += n.Count
		p.absolute += n.MAE * float64(n.Count)
		p.square += n.RMSE * n.RMSE * float64(n.Count)
	}
}

func (p *period) mean() float64 { return p.absolute / float64(max(1, p.numbers)) }

// overTime is the chart of a subject, before it has a scale; nil if there is nothing to show.
func overTime(s Subject, over Range) *Over {
	o := &Over{
		Errors: s.hasNumbers() && !s.hasLabels(), Width: overWidth, Height: overHeight,
		Left: overLeft, Right: overRight, Top: overTop, Bottom: overBottom, over: over, step: over.step(), Per: over.Per(),
	}
	base := over.From.Truncate(o.step)
	if several := int64(math.Ceil(float64(over.To.Sub(base)) / float64(o.step) / maxBars)); several > 1 {
		o.Per = strconv.FormatInt(several, 10) + " " + o.Per + "s"
		o.step *= time.Duration(several)
	}
	for _, i := range s.Summary.Over {
		start := base.Add(i.Start.Sub(base) / o.step * o.step)
		if last := len(o.parts) - 1; last < 0 || o.parts[last].start.Before(start) {
			o.parts = append(o.parts, period{start: start})
		}
		o.parts[len(o.parts)-1].add(i)
	}
	if len(o.parts) == 0 {
		return nil
	}
	for _, p := range o.parts {
		o.Rows = append(o.Rows, p.row())
	}
	return o
}

func (p *period) row() OverRow {
	r := OverRow{
		Start: p.start, Total: count(p.total), Right: count(p.right), Wrong: count(p.labelled - p.right), Share: part(p.right, p.labelled),
		Missing: count(p.missing), New: count(p.unknown), MeanAbs: None, RMS: None,
	}
	if p.numbers > 0 {
		r.MeanAbs, r.RMS = number(p.mean()), number(math.Sqrt(p.square/float64(p.numbers)))
	}
	return r
}

// most is the greatest value of a bar.
func (o *Over) most() float64 {
	most := 0.0
	for _, p := range o.parts {
		if o.Errors {
			most = max(most, p.mean())
		} else {
			most = max(most, float64(p.labelled))
		}
	}
	return most
}

// sameScale gives the charts of the views their places: those of the same kind have one scale, so
// that they can be compared.
func sameScale(views []View) {
	most := map[bool]float64{}
	for _, v := range views {
		if v.Over != nil {
			most[v.Over.Errors] = max(most[v.Over.Errors], v.Over.most())
		}
	}
	for _, v := range views {
		if v.Over != nil {
			v.Over.place(most[v.Over.Errors])
		}
	}
}

// place makes the bars and the axes for values up to most.
func (o *Over) place(most float64) {
	if most == 0 {
		most = 1
	}
	y := scale{low: 0, high: most, from: overBottom, to: overTop}
	whole := o.over.To.Sub(o.over.From).Seconds()
	x := func(t time.Time) float64 {
		return round(overLeft + t.Sub(o.over.From).Seconds()/whole*(overRight-overLeft))
	}
	if !o.Errors {
		y.least = 1 // counts are whole
	}
	o.X, o.Y = timeTicks(o.over, x), y.ticks(4)
	for _, p := range o.parts {
		from, to := max(x(p.start), overLeft), min(x(p.start.Add(o.step)), overRight)
		width := min((to-from)*(1-barGap), mostBar)
		bar := Bar{X: round((from + to - width) / 2), Width: max(round(width), 1), Title: o.title(&p)}
		if o.Errors {
			bar.Y = y.at(p.mean())
			bar.Height = round(overBottom - bar.Y)
		} else {
			bar.Y, bar.WrongY = y.at(float64(p.right)), y.at(float64(p.labelled))
			bar.Height, bar.WrongHeight = round(overBottom-bar.Y), round(bar.Y-bar.WrongY)
		}
		o.Bars = append(o.Bars, bar)
	}
}

func (o *Over) title(p *period) string {
	at := p.start.Format("2006-01-02 15:04 UTC")
	if o.step >= 24*time.Hour {
		at = p.start.Format(time.DateOnly)
	}
	if o.Errors {
		return fmt.Sprintf("%s: mean absolute error %s of %s", at, number(p.mean()), count(p.numbers))
	}
	return fmt.Sprintf("%s: %s right, %s wrong", at, count(p.right), count(p.labelled-p.right))
}
