package remote

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/cluster/logline"
	"krt.dev/kn-krt/pkg/legible"
)

// logMessage is the line as a person reads it: level unless INFO, message, attributes.
func logMessage(l *logline.Line) string {
	if l.Field("msg") == "" {
		return l.Text
	}
	var b strings.Builder
	if level := l.Field("level"); level != "" && level != "INFO" {
		b.WriteString(level + " ")
	}
	b.WriteString(l.Field("msg"))
	shown := []string{"time", "level", "msg", "node", "workflow", "correlationid", "trace_id", "span_id", "stack"}
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		if !slices.Contains(shown, name) {
			b.WriteString(" " + name + "=" + l.Field(name))
		}
	}
	if stack := l.Field("stack"); stack != "" {
		b.WriteString("\n" + strings.TrimRight(stack, "\n"))
	}
	return b.String()
}

// logPrinter prints lines of several pods, one at a time.
type logPrinter struct {
	out     io.Writer
	json    bool
	painter *term.Painter
}

func newLogPrinter(o logsOptions) *logPrinter {
	return &logPrinter{out: o.streams.Out, json: o.output == term.OutputJSON, painter: term.NewPainter(o.streams.TTY)}
}

// show writes "[node] message", or one JSON object.
func (p *logPrinter) show(l logline.Line) {
	// One write, so that lines of others that share the stream stay whole.
	_, _ = io.WriteString(p.out, p.format(&l))
}

func (p *logPrinter) format(l *logline.Line) string {
	if !p.json {
		return p.painter.Name(l.Node) + " " + legible.Printable(logMessage(l)) + "\n"
	}
	object := map[string]any{"time": l.Time, "node": l.Node, "line": l.Text}
	if l.Fields != nil {
		object["line"] = l.Fields
	}
	text, err := json.Marshal(object)
	if err != nil {
		return l.Text + "\n" // cannot be: it was read as JSON, or is text
	}
	return string(legible.PrintableJSON(text)) + "\n"
}
