// Package simplelogger is the API of
// github.com/konstellation-io/kre/libs/simplelogger over [runner.Logger]: the
// original's HandlerContext.Logger was a *simplelogger.SimpleLogger, and nodes
// name that type where they hand the logger on.
package simplelogger

import (
	"io"
	"log/slog"
	"os"

	"krt.dev/kn-krt/pkg/runner"
)

// SimpleLogger is the type of HandlerContext.Logger.
type SimpleLogger = runner.Logger

// SimpleLoggerInterface is what a SimpleLogger does.
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

// LogLevel says which lines are written: those of the level and those above it,
// LevelError being the highest.
type LogLevel int

// The levels of the original, with its values.
const (
	LevelError LogLevel = iota
	LevelWarn
	LevelInfo
	LevelDebug
)

// New returns a logger that writes to standard error, where a node's lines go.
func New(level LogLevel) *SimpleLogger {
	return NewWithWriter(level, os.Stderr) //nolint:forbidigo // it is the node's own stream, and the original's API injects none
}

// NewWithWriter returns a logger that writes to writer, a line at a time.
func NewWithWriter(level LogLevel, writer io.Writer) *SimpleLogger {
	return runner.NewLogger(slog.New(slog.NewTextHandler(writer, &slog.HandlerOptions{Level: level.slog()})))
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
