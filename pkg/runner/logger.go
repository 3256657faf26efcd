package runner

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// Logger writes the log lines of a node. Each has the node's name and, within a call,
// the workflow, the request's correlation id and, if the request is traced, trace_id and
// span_id, as in OpenTelemetry's logs. It is safe for concurrent use.
type Logger struct {
	to   *slog.Logger
	call *names // nil: of no call
}

// NewLogger returns a Logger that writes to to. Nodes use [HandlerContext].Logger; this
// is for code that needs a Logger without a runner.
func NewLogger(to *slog.Logger) *Logger { return &Logger{to: to} }

// Debug logs msg at level debug, which is off unless KRT_LOG_LEVEL=debug.
func (l *Logger) Debug(msg string) { l.log(slog.LevelDebug, msg) }

// Debugf logs a message formatted as by fmt.Sprintf at level debug.
func (l *Logger) Debugf(format string, args ...any) { l.log(slog.LevelDebug, format, args...) }

// Info logs msg at level info.
func (l *Logger) Info(msg string) { l.log(slog.LevelInfo, msg) }

// Infof logs a message formatted as by fmt.Sprintf at level info.
func (l *Logger) Infof(format string, args ...any) { l.log(slog.LevelInfo, format, args...) }

// Warn logs msg at level warn.
func (l *Logger) Warn(msg string) { l.log(slog.LevelWarn, msg) }

// Warnf logs a message formatted as by fmt.Sprintf at level warn.
func (l *Logger) Warnf(format string, args ...any) { l.log(slog.LevelWarn, format, args...) }

// Error logs msg at level error.
func (l *Logger) Error(msg string) { l.log(slog.LevelError, msg) }

// Errorf logs a message formatted as by fmt.Sprintf at level error.
func (l *Logger) Errorf(format string, args ...any) { l.log(slog.LevelError, format, args...) }

// Slog returns the structured logger behind l, with the call's attributes.
func (l *Logger) Slog() *slog.Logger {
	attrs := l.call.attrs()
	args := make([]any, len(attrs))
	for i, a := range attrs {
		args[i] = a
	}
	return l.to.With(args...)
}

// log writes msg, formatted only if there are args: other messages may contain
// percent signs.
func (l *Logger) log(level slog.Level, msg string, args ...any) {
	if !l.to.Enabled(context.Background(), level) {
		return
	}
	if len(args) > 0 {
		msg = fmt.Sprintf(msg, args...)
	}
	l.to.LogAttrs(context.Background(), level, msg, l.call.attrs()...)
}

// newSlog returns a logger that writes to w as KRT_LOG and KRT_LOG_LEVEL say.
func newSlog(w io.Writer, getenv func(string) string) (*slog.Logger, error) {
	level, err := environment.Level(getenv)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	switch format := strings.ToLower(getenv(environment.Log)); format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "", "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "plain":
		return slog.New(newPlainHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("%s: %q is not one of json, plain, text", environment.Log, format)
	}
}
