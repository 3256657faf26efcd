// Package simplelogger is the API of
// github.com/konstellation-io/kre/libs/simplelogger over [runner.Logger]: the
// original's HandlerContext.Logger was a *simplelogger.SimpleLogger, and nodes use that
// type where they pass the logger to their own functions.
package simplelogger

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/runner"
)

// SimpleLogger is the type of HandlerContext.Logger.
type SimpleLogger = runner.Logger

// SimpleLoggerInterface has the methods of a SimpleLogger.
type SimpleLoggerInterface interface { //nolint:revive // the name is the original's
	Debug(msg string)
	Info(msg string)
	Warn(msg string)
	Error(msg string)
	Debugf(format string, a ...any)
	Infof(format string, a ...any)
	Warnf(format string, a ...any)
	Errorf(format string, a ...any)
}

// LogLevel is the lowest level of the lines that are written; LevelError is the
// highest.
type LogLevel int

// The levels of the original, with its values.
const (
	LevelError LogLevel = iota
	LevelWarn
	LevelInfo
	LevelDebug
)

// New returns a logger that writes to standard output, as the original's did.
func New(level LogLevel) *SimpleLogger {
	return NewWithWriter(level, os.Stdout) //nolint:forbidigo // it is the node's own stream, and the original's API injects none
}

// NewWithWriter returns a logger that writes lines of the original's form to
// writer: the time, the level and the message with its line breaks as spaces.
func NewWithWriter(level LogLevel, writer io.Writer) *SimpleLogger {
	return runner.NewLogger(slog.New(&handler{level: level.slog(), mu: &sync.Mutex{}, w: writer}))
}

func (l LogLevel) slog() slog.Level {
	switch {
	case l <= LevelError:
		return slog.LevelError
	case l == LevelWarn:
		return slog.LevelWarn
	case l == LevelInfo:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// handler writes "2006-01-02T15:04:05.999999999Z07:00 LEVEL message". Attributes, which
// the original did not have, follow the message.
type handler struct {
	level slog.Level
	attrs []slog.Attr
	mu    *sync.Mutex
	w     io.Writer
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	line := r.Time.Format(time.RFC3339Nano) + " " + r.Level.String() + " " + r.Message
	add := func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	line = strings.ReplaceAll(strings.ReplaceAll(line, "\r\n", " "), "\n", " ")
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, line+"\n")
	return err
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &with
}

// WithGroup implements slog.Handler; groups are ignored.
func (h *handler) WithGroup(string) slog.Handler { return h }
