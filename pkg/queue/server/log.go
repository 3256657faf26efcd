package server

import (
	"fmt"
	"log/slog"
	"strings"
)

// logger passes on what the server of NATS logs. Its notices are of no use to people who run
// kn-krt, but for its warnings and errors.
type logger struct {
	log *slog.Logger
	// failed is called when something cannot be written: from then on that stream accepts nothing more, whatever
	// room there is, until the server is started again.
	failed func()
}

// What the server logs, once and more often, when something cannot be written.
const (
	writeFailed = "Critical write error"
	storeFailed = "JetStream failed to store a msg"
)

// refused is in what the server logs of a client that [access.Check] has refused, which has said whom and why.
const refused = " - authentication error"

// largePayload begins the server's advice against a -payload that has been chosen.
const largePayload = "Maximum payloads over"

// Noticef implements the server's interface of logs.
func (l *logger) Noticef(format string, v ...any) { l.log.Debug(text(format, v)) }

// Warnf implements the server's interface of logs.
func (l *logger) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, largePayload) {
		l.log.Warn(text(format, v))
	}
}

// Errorf implements the server's interface of logs.
func (l *logger) Errorf(format string, v ...any) {
	t := text(format, v)
	if strings.Contains(t, refused) {
		return
	}
	l.log.Error(t)
	if strings.Contains(t, writeFailed) || strings.Contains(t, storeFailed) {
		l.failed()
	}
}

// Fatalf implements the server's interface of logs. It does not end the program: [Start] sees
// that the server does not run.
func (l *logger) Fatalf(format string, v ...any) { l.log.Error(text(format, v)) }

// Debugf implements the server's interface of logs.
func (l *logger) Debugf(string, ...any) {}

// Tracef implements the server's interface of logs.
func (l *logger) Tracef(string, ...any) {}

func text(format string, v []any) string { return strings.TrimSpace(fmt.Sprintf(format, v...)) }
