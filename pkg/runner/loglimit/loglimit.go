// Package loglimit limits the log lines about failed requests of a node or an
// entrypoint: clients must not decide how much is logged.
package loglimit

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// perSecond is how many lines with the same message are written in a second.
	perSecond = 10
	// maxMessages is how many messages are counted separately; all others count as one.
	maxMessages = 256
)

// handler writes all but debug lines within the limit.
type handler struct {
	slog.Handler
	limit *Limit
}

// Limit counts lines. Handlers derived from one handler share it.
type Limit struct {
	out slog.Handler

	mu    sync.Mutex // guards the fields below
	lines map[string]*count
}

// count counts the lines with one message.
type count struct {
	second     int64
	written    int
	suppressed int
}

// New returns a handler that writes to out at most ten lines per second with the same
// message; lines of level debug are not limited. A second later it writes how many it
// left out.
func New(out slog.Handler) slog.Handler {
	return &handler{out, NewLimit(out)}
}

// NewLimit returns the limit for lines that the caller itself writes to out, each only
// if [Limit.Allow] allows it.
func NewLimit(out slog.Handler) *Limit { return &Limit{out: out, lines: map[string]*count{}} }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && !h.limit.Allow(r.Time, r.Level, r.Message) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs), h.limit}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.limit}
}

// Allow reports whether a line with that message may be written.
func (l *Limit) Allow(at time.Time, level slog.Level, message string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := message
	if l.lines[key] == nil && len(l.lines) >= maxMessages {
		key = ""
	}
	c := l.lines[key]
	if c == nil {
		c = &count{}
		l.lines[key] = c
	}
	if now := at.Unix(); c.second != now {
		c.second, c.written = now, 0
	}
	if c.written++; c.written <= perSecond {
		return true
	}
	if c.suppressed++; c.suppressed == 1 {
		time.AfterFunc(time.Second, func() { l.tell(key, level) })
	}
	return false
}

// tell writes how many lines were left out.
func (l *Limit) tell(message string, level slog.Level) {
	l.mu.Lock()
	c := l.lines[message]
	n := c.suppressed
	c.suppressed = 0
	l.mu.Unlock()
	r := slog.NewRecord(time.Now(), level, "lines were suppressed: too many with the same message", 0)
	r.AddAttrs(slog.String("message", message), slog.Int("suppressed", n))
	_ = l.out.Handle(context.Background(), r)
}
