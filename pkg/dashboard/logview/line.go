package logview

import (
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/logline"
)

// What is shown of one line at most, in bytes. A download has all of it.
const (
	maxMessage = 8 << 10
	maxBrief   = 400
	maxName    = 100
	maxValue   = 1 << 10
	maxFields  = 30
)

// Line is a line as a page shows it. All of its texts are [Clean].
type Line struct {
	Time      time.Time
	Level     logline.Level
	Node, Pod string
	// Brief is the beginning of the message, on one line.
	Brief string
	// Whole is the message if Brief is not all of it, and Cut how many bytes of it are left out.
	Whole string
	Cut   int
	// Workflow and ID are those of the request that the line is about; empty without one.
	Workflow, ID string
	// Fields are the others of a structured line, and Left how many more it has.
	Fields []logline.Attribute
	Left   int
}

// More reports whether the line has anything that is not shown at once.
func (l *Line) More() bool {
	return l.Whole != "" || len(l.Fields) > 0 || l.ID != "" || l.Workflow != ""
}

// Of makes a line for a page.
func Of(from *logline.Line) Line {
	l := Line{
		Time: from.Time, Level: from.Level(), Node: name(from.Node), Pod: name(from.Pod),
		Workflow: name(from.Workflow()), ID: name(from.ID()),
	}
	message := from.Text
	if from.Structured() {
		message = from.Field("msg")
	}
	if stack := from.Stack(); stack != "" && from.Structured() {
		message, _ = cut(message, maxMessage)
		message += "\n" + stack
	}
	var whole string
	whole, l.Cut = cut(message, maxMessage)
	whole = Clean(whole)
	first, _, several := strings.Cut(whole, "\n")
	brief, left := cut(first, maxBrief)
	if l.Brief = brief; several || left > 0 || l.Cut > 0 {
		l.Brief, l.Whole = brief+" …", whole
	}
	l.fields(from)
	return l
}

// fields adds the other fields.
func (l *Line) fields(from *logline.Line) {
	all := from.Attributes()
	if trace := from.Trace(); trace != "" {
		all = append(all, logline.Attribute{Name: "trace", Value: trace})
	}
	if len(all) > maxFields {
		all, l.Left = all[:maxFields], len(all)-maxFields
	}
	for _, a := range all {
		value, left := cut(a.Value, maxValue)
		if value = Clean(value); left > 0 {
			value += " …"
		}
		l.Fields = append(l.Fields, logline.Attribute{Name: name(a.Name), Value: value})
	}
}

func name(text string) string {
	text, _ = cut(text, maxName)
	return strings.ReplaceAll(Clean(text), "\n", " ")
}

// size is how many bytes of text the line has.
func (l *Line) size() int {
	n := len(l.Brief) + len(l.Whole) + len(l.Node) + len(l.Pod) + len(l.Workflow) + len(l.ID)
	for _, a := range l.Fields {
		n += len(a.Name) + len(a.Value)
	}
	return n
}
