package remote

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/cli/term"
)

// logLine is a line of a pod's log.
type logLine struct {
	at     time.Time
	part   string // node or entrypoint
	text   string
	fields map[string]any // of a structured line; nil for plain text
}

// parseLogLine reads a line that begins with the time at which the cluster took it.
func parseLogLine(part, line string) logLine {
	l := logLine{part: part, text: line}
	if stamp, rest, ok := strings.Cut(line, " "); ok {
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			l.at, l.text = at, rest
		}
	}
	if strings.HasPrefix(l.text, "{") {
		// What is no JSON is text.
		_ = json.Unmarshal([]byte(l.text), &l.fields)
	}
	return l
}

func (l logLine) field(name string) string {
	switch value := l.fields[name].(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// message is the line as a person reads it: level unless INFO, message, attributes.
func (l logLine) message() string {
	if l.field("msg") == "" {
		return l.text
	}
	var b strings.Builder
	if level := l.field("level"); level != "" && level != "INFO" {
		b.WriteString(level + " ")
	}
	b.WriteString(l.field("msg"))
	var names []string
	for name := range l.fields {
		if !slices.Contains([]string{"time", "level", "msg", "node", "workflow", "correlationid", "stack"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString(" " + name + "=" + l.field(name))
	}
	if stack := l.field("stack"); stack != "" {
		b.WriteString("\n" + strings.TrimRight(stack, "\n"))
	}
	return b.String()
}

// logPrinter prints lines of several pods.
type logPrinter struct {
	out      io.Writer
	json     bool
	workflow string

	mu      sync.Mutex
	painter *term.Painter
}

func newLogPrinter(o logsOptions) *logPrinter {
	return &logPrinter{
		out: o.streams.Out, json: o.output == term.OutputJSON,
		workflow: o.workflow, painter: term.NewPainter(o.streams.TTY),
	}
}

// show writes "[node] message", or one JSON object, unless the line is about
// another workflow than is asked for.
func (p *logPrinter) show(l logLine) {
	if p.workflow != "" && l.field("workflow") != p.workflow {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// One write each, so that lines of others that share the stream stay whole.
	_, _ = io.WriteString(p.out, p.format(l))
}

func (p *logPrinter) format(l logLine) string {
	if p.json {
		object := map[string]any{"time": l.at, "node": l.part, "line": l.text}
		if l.fields != nil {
			object["line"] = l.fields
		}
		text, err := json.Marshal(object)
		if err != nil {
			return l.text + "\n" // cannot be: it was read as JSON, or is text
		}
		return string(text) + "\n"
	}
	return p.painter.Name(l.part) + " " + l.message() + "\n"
}
