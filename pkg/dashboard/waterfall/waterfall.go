// Package waterfall draws where a request spent its time: a bar for each step, on one axis from
// its begin to its end. A chart is a table whose bars are SVG, so that it is read without them.
package waterfall

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// MaxSteps is how many steps are drawn at most; a record has no more than twice its 32.
	MaxSteps = 64
	// maxName bounds the names that are shown, in bytes.
	maxName = 100
	// leastWidth is how wide a bar is at least, in percent of the axis, so that it is seen.
	leastWidth = 0.6
	// lastTick is up to where a mark may be, in percent: its text needs room behind it.
	lastTick = 92
	// ticks is about how many marks the axis has.
	ticks = 4
)

// Chart is where one request spent its time.
type Chart struct {
	Bars []Bar
	// Ticks are marks of the axis; the first is its begin.
	Ticks []Tick
	// Response is where the client had its response, and ResponseText when; the place is empty
	// unless work has continued behind it.
	Response, ResponseText string
	// Total is the time from the begin to the end of the axis.
	Total string
	// Left is how many steps are not drawn, because there are more than [MaxSteps].
	Left int
}

// Tick is a mark of the axis. Places are percentages of its width, such as "12.5%".
type Tick struct{ At, Text string }

// Bar is one step.
type Bar struct {
	Node string
	// Wait and Run are the parts of the bar: first it waited for its turn, then the handler ran.
	Wait, Run Span
	// StartText is when it arrived at the node, counted from the request's begin.
	StartText, WaitText, RunText string
	// Waited says that it waited for so long that it is worth a look.
	Waited bool
	// Outcome is the state's word: "ok", "error", "exit" or "reply". Failed is set for "error".
	Outcome string
	Failed  bool
	// Cold is the first event since the node's process was ready, Attempts how often the request
	// was sent there if that is more than once; Notes says both in words.
	Cold     bool
	Attempts int
	Notes    []string
	// Behind says that it is a part of the work behind an early reply.
	Behind bool
}

// Span is a part of the axis, in percentages of its width.
type Span struct{ X, Width string }

// Of makes the chart of a request, with the work behind its early reply if it has any.
func Of(r *inspection.Request) Chart { return Within(r, 0) }

// Length is how long the axis of a request's chart is, in milliseconds.
func Length(r *inspection.Request) float64 {
	steps := r.AllSteps()
	return axisOf(r, steps[:min(len(steps), MaxSteps)], 0).length
}

// Within is like Of, on an axis that is at least so many milliseconds long: charts of one scale can be
// compared.
func Within(r *inspection.Request, least float64) Chart {
	steps := r.AllSteps()
	c := Chart{Left: max(0, len(steps)-MaxSteps)}
	steps = steps[:len(steps)-c.Left]
	axis := axisOf(r, steps, least)
	if r.Rest != nil {
		c.Response, c.ResponseText = percent(axis.at(number(r.DurationMS))), milliseconds(r.DurationMS)
	}
	c.Total, c.Ticks = milliseconds(axis.length), axis.ticks()
	for i := range steps {
		b := axis.bar(&steps[i])
		b.Behind = i >= len(r.Steps)
		if inspection.BehindReply(steps, i) {
			b.Notes = append(b.Notes, "after its early reply")
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// axis is the time of a chart in milliseconds.
type axis struct{ begin, length float64 }

// axisOf is the axis that has the request and those steps, at least so many milliseconds long.
func axisOf(r *inspection.Request, steps []inspection.Step, least float64) axis {
	begin, end := 0.0, number(r.DurationMS)
	if r.Rest != nil {
		end = max(end, number(r.Rest.DurationMS))
	}
	for i := range steps {
		s := &steps[i]
		// Clocks of machines differ: a step may seem to begin before its request.
		begin = min(begin, number(s.StartMS))
		end = max(end, number(s.StartMS)+number(s.WaitMS)+number(s.RunMS))
	}
	return axis{begin, max(end-begin, least, 0.001)}
}

// at is the place of a time in percent.
func (a axis) at(ms float64) float64 { return min(max((ms-a.begin)/a.length*100, 0), 100) }

// bar makes the bar of a step.
func (a axis) bar(s *inspection.Step) Bar {
	start, wait, run := number(s.StartMS), max(number(s.WaitMS), 0), max(number(s.RunMS), 0)
	from, turn, to := a.at(start), a.at(start+wait), a.at(start+wait+run)
	if to-turn < leastWidth { // it ran, however short: that is seen
		turn = min(turn, 100-leastWidth)
		from, to = min(from, turn), turn+leastWidth
	}
	return Bar{
		Node: legible.Line(s.Node, maxName), Wait: span(from, turn), Run: span(turn, to),
		StartText: milliseconds(s.StartMS), WaitText: milliseconds(s.WaitMS), RunText: milliseconds(s.RunMS),
		Waited: s.Waited(), Outcome: legible.Line(cmp.Or(s.Outcome, "unknown"), maxName), Failed: s.Outcome == "error",
		Cold: s.Cold, Attempts: s.Attempts, Notes: s.Notes(),
	}
}

// ticks are marks at round times.
func (a axis) ticks() (all []Tick) {
	step := math.Pow(10, math.Floor(math.Log10(a.length/ticks)))
	for _, factor := range []float64{5, 2} {
		if a.length/(step*factor) >= ticks {
			step *= factor
			break
		}
	}
	for i := 0; i <= 2*ticks+4; i++ {
		at := a.begin + float64(i)*step
		if a.at(at) > lastTick {
			break
		}
		all = append(all, Tick{percent(a.at(at)), round(at)})
	}
	return all
}

// round is the text of a mark: as few digits as it needs.
func round(ms float64) string {
	if math.Abs(ms) >= 1000 {
		return strconv.FormatFloat(ms/1000, 'g', 4, 64) + " s"
	}
	return strconv.FormatFloat(ms, 'g', 4, 64) + " ms"
}

func span(from, to float64) Span { return Span{percent(from), percent(to - from)} }

func percent(p float64) string { return strconv.FormatFloat(math.Round(p*100)/100, 'f', -1, 64) + "%" }

// number is a time that an entrypoint reported, if it can be drawn: at most a year.
func number(ms float64) float64 {
	const year = 365 * 24 * 3600 * 1000
	if math.IsNaN(ms) {
		return 0
	}
	return min(max(ms, -year), year)
}

func milliseconds(ms float64) string {
	return legible.Spaced(time.Duration(number(ms) * float64(time.Millisecond)))
}

// Summary is the chart in a sentence, for a bar that is drawn small: "etl 3.1 · model 6.0".
func (c Chart) Summary() string {
	text := ""
	for i, b := range c.Bars {
		if i > 0 {
			text += " · "
		}
		text += b.Node + " " + b.RunText
		if b.Waited {
			text += " (waited " + b.WaitText + ")"
		}
		if b.Outcome != "ok" {
			text += " " + b.Outcome
		}
	}
	return clip.Text(text, maxSummary)
}

// maxSummary bounds a summary, in bytes.
const maxSummary = 1000
