package remote

import (
	"encoding/json"
	"io"

	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/logline"
)

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
		return p.painter.Name(l.Node) + " " + legible.Printable(l.Message()) + "\n"
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
