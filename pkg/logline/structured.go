package logline

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Names of the fields that runners and the entrypoint write, as in log/slog and OpenTelemetry.
const (
	fieldTime, fieldLevel, fieldMessage = "time", "level", "msg"
	fieldNode, fieldWorkflow, fieldID   = "node", "workflow", "correlationid"
	fieldTrace, fieldSpan, fieldStack   = "trace_id", "span_id", "stack"
)

// Structured reports whether the line is one of a runner or the entrypoint, or alike: an object
// with a message.
func (l *Line) Structured() bool { return l.Field(fieldMessage) != "" }

// Workflow is the workflow that a structured line is about, "" if it names none.
func (l *Line) Workflow() string { return l.Field(fieldWorkflow) }

// ID is the correlation id of the request that a structured line is about, "" without one.
func (l *Line) ID() string { return l.Field(fieldID) }

// Trace is the id of the trace that a structured line belongs to, "" without one.
func (l *Line) Trace() string { return l.Field(fieldTrace) }

// Stack is the stack trace or traceback of a structured line, "" without one.
func (l *Line) Stack() string { return strings.TrimRight(l.Field(fieldStack), "\n") }

// Attribute is a field of a structured line.
type Attribute struct{ Name, Value string }

// Attributes are the fields of a structured line without those that have a method, time and node,
// in order of name; none of another line.
func (l *Line) Attributes() (all []Attribute) {
	if !l.Structured() {
		return nil
	}
	shown := []string{
		fieldTime, fieldLevel, fieldMessage, fieldNode, fieldWorkflow, fieldID, fieldTrace, fieldSpan, fieldStack,
	}
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		if !slices.Contains(shown, name) {
			all = append(all, Attribute{name, l.Field(name)})
		}
	}
	return all
}

// Message is the line as a person reads it: of a structured one its level unless that is INFO, its
// message, attributes, and its stack on lines of its own; otherwise the text.
func (l *Line) Message() string {
	if !l.Structured() {
		return l.Text
	}
	var b strings.Builder
	if level := l.Field(fieldLevel); level != "" && level != "INFO" {
		b.WriteString(level + " ")
	}
	b.WriteString(l.Field(fieldMessage))
	for _, a := range l.Attributes() {
		b.WriteString(" " + a.Name + "=" + quoted(a.Value))
	}
	if stack := l.Stack(); stack != "" {
		b.WriteString("\n" + stack)
	}
	return b.String()
}

// Texts are the lines of a line of output as a person reads it: a structured one may have several.
func Texts(line string) []string {
	l := Of(time.Time{}, line)
	return strings.Split(l.Message(), "\n")
}

// quoted returns value, in quotes if it could not be told from what follows.
func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \"=\n\r\t") {
		return strconv.Quote(value)
	}
	return value
}

// Level is how severe a line is.
type Level int

// Levels, the lowest first.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

// Levels are all levels, the lowest first.
func Levels() []Level { return []Level{Debug, Info, Warn, Error} }

// String is the level's name: "debug", "info", "warn" or "error".
func (l Level) String() string {
	return [...]string{"debug", "info", "warn", "error"}[min(max(l, Debug), Error)]
}

// ParseLevel reads a level's name.
func ParseLevel(name string) (Level, bool) {
	i := slices.IndexFunc(Levels(), func(l Level) bool { return l.String() == name })
	return Level(i), i >= 0
}

// Level is the line's level: what a structured line names, whatever its program calls it; Info
// of any other line.
func (l *Line) Level() Level {
	name := strings.ToLower(l.Field(fieldLevel))
	if name == "" {
		name = strings.ToLower(l.Field("severity"))
	}
	switch {
	case strings.HasPrefix(name, "debug"), name == "trace":
		return Debug
	case strings.HasPrefix(name, "warn"):
		return Warn
	case strings.HasPrefix(name, "err"), name == "fatal", name == "critical", name == "panic", name == "dpanic":
		return Error
	}
	return Info
}
