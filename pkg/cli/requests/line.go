package requests

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
)

// maxErrorText and maxName limit what a line has of an error's text and of a name, in bytes.
const (
	maxErrorText = 500
	maxName      = 100
)

// printer prints requests in one time zone, and knows which day it is.
type printer struct {
	now     time.Time
	painter *term.Painter
}

func newPrinter(s term.Streams) *printer {
	return &printer{now: time.Now(), painter: term.NewPainter(s.TTY)}
}

// clock is when a request had its response; of an earlier day with the date.
func (p *printer) clock(r *inspection.Request) string {
	end := r.End().Local()
	if y, m, d := end.Date(); y != p.now.Year() || m != p.now.Month() || d != p.now.Day() {
		return end.Format("2006-01-02 15:04:05.000")
	}
	return end.Format("15:04:05.000")
}

// columns are those of the table of requests. The replica is shown if there are several, the
// error if there is any.
func (p *printer) columns(rows []inspection.Request) []term.Column[inspection.Request] {
	columns := []term.Column[inspection.Request]{
		{Head: "TIME", Cell: func(r inspection.Request) string { return p.clock(&r) }},
		{Head: "WORKFLOW", Cell: func(r inspection.Request) string { return legible.Line(cmp.Or(r.Workflow, r.Method), maxName) }},
		{Head: "CODE", Cell: func(r inspection.Request) string { return legible.Line(r.Code, maxName) }},
		{Head: "DURATION", Cell: func(r inspection.Request) string { return legible.Duration(r.Duration()) }},
		{Head: "STEPS", Cell: func(r inspection.Request) string {
			return strings.Join(notEmpty(stepTimes(r.Steps), bracketed(r.Stream.Sent(), r.How())), " ")
		}},
		{Head: "ID", Cell: func(r inspection.Request) string { return legible.Line(r.ID, maxName) }},
	}
	pods, failed := map[string]bool{}, false
	for i := range rows {
		pods[rows[i].Replica] = true
		failed = failed || rows[i].Failed()
	}
	if len(pods) > 1 {
		columns = append(columns, term.Column[inspection.Request]{Head: "POD", Cell: func(r inspection.Request) string {
			return legible.Line(r.Replica, maxName)
		}})
	}
	if failed {
		columns = append(columns, term.Column[inspection.Request]{Head: "ERROR", Cell: func(r inspection.Request) string { return failure(&r) }})
	}
	return columns
}

// line is a request while others are still to come, as `run` prints them.
func (p *printer) line(r *inspection.Request) string {
	colour := term.ColourGood
	if r.Failed() {
		colour = term.ColourBad
	}
	first := fmt.Sprintf("%s %s %s %s", p.clock(r), legible.Line(cmp.Or(r.Workflow, r.Method), maxName),
		p.painter.Paint(colour, legible.Line(r.Code, maxName)), legible.Duration(r.Duration()))
	id := ""
	if r.ID != "" { // the request was admitted
		id = "id=" + legible.Line(r.ID, maxName)
	}
	return strings.Join(notEmpty(first, r.Stream.Sent(), r.How(), stepTimes(r.Steps), id, failure(r)), "  ") + "\n"
}

// failure is where and why a request failed; "" if it did not.
func failure(r *inspection.Request) string {
	where := ""
	if r.Node != "" {
		where = "node " + legible.Line(r.Node, maxName)
	}
	return strings.Join(notEmpty(where, legible.Line(r.Reason, maxName), legible.Line(r.Error, maxErrorText)), ": ")
}

// stepTimes is the time in each node, and what made it long: "etl 3.1 · model 6.0".
func stepTimes(steps []inspection.Step) string {
	parts := make([]string, len(steps))
	for i := range steps {
		s := &steps[i]
		notes := s.Notes()
		if s.Waited() {
			notes = append([]string{"waited " + legible.Milliseconds(milliseconds(s.WaitMS))}, notes...)
		}
		parts[i] = legible.Line(s.Node, maxName) + " " + legible.Milliseconds(milliseconds(s.RunMS)) + bracketed(notes...)
	}
	return strings.Join(parts, " · ")
}

// bracketed is the notes in parentheses after a space, "" without any.
func bracketed(notes ...string) string {
	if notes = notEmpty(notes...); len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes, ", ") + ")"
}

func notEmpty(parts ...string) (kept []string) {
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return kept
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
