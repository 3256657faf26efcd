package runner

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// plainHandler writes log lines for a person who watches the node (KRT_LOG=plain):
// the level, unless it is INFO, and the message with its line
// breaks. Time, node, workflow and ids are left out: the program that shows
// the lines adds the node's name.
type plainHandler struct {
	level slog.Leveler
	mu    *sync.Mutex
	w     io.Writer
	attrs []slog.Attr
}

func newPlainHandler(w io.Writer, o *slog.HandlerOptions) *plainHandler {
	level := o.Level
	if level == nil {
		level = slog.LevelInfo
	}
	return &plainHandler{level: level, mu: &sync.Mutex{}, w: w}
}

// Enabled implements slog.Handler.
func (h *plainHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *plainHandler) Handle(_ context.Context, r slog.Record) error {
	var line bytes.Buffer
	if r.Level != slog.LevelInfo {
		line.WriteString(r.Level.String() + " ")
	}
	line.WriteString(r.Message)
	write := func(a slog.Attr) bool {
		switch a.Key {
		case "node", "workflow", "correlationid", "trace_id", "span_id":
		case "stack": // on lines of its own
			line.WriteString("\n" + a.Value.String())
		default:
			line.WriteString(" " + a.Key + "=" + quoted(a.Value.String()))
		}
		return true
	}
	for _, a := range h.attrs {
		write(a)
	}
	r.Attrs(write)
	line.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(line.Bytes())
	return err
}

// quoted returns value, in quotes if it could not be told from what follows.
func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \"=\n\r\t") {
		return strconv.Quote(value)
	}
	return value
}

// WithAttrs implements slog.Handler.
func (h *plainHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &with
}

// WithGroup implements slog.Handler. The runner has no groups, and a node's own are
// ignored.
func (h *plainHandler) WithGroup(string) slog.Handler { return h }
