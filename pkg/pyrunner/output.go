package pyrunner

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/loglimit"
)

const (
	// maxLineBytes limits a line of output; the rest of a longer one is dropped.
	maxLineBytes = 256 << 10
	recordMark   = '\x1e'
	fieldMark    = "\x1f"
	// tracebackMark begins the record of a failed call's traceback.
	tracebackMark = string(recordMark) + "T" + fieldMark
)

// copyOutput logs each line that a Python process writes, until its output ends.
// shim/_krt_runner/logs.py defines the format of its records; any other line was written
// by native code or a child process of the node.
//
// Text of several lines, such as a traceback, stays one record if the log format can
// show it (JSON, plain); otherwise each line becomes a record, to stay readable.
//
// The tracebacks of failed calls are limited by tracebacks.
func copyOutput(r io.Reader, log *slog.Logger, tracebacks *loglimit.Limit, whole bool) {
	lines := &child.Lines{Most: maxLineBytes, Drop: true, Each: func(line string) {
		if !strings.HasPrefix(line, tracebackMark) || tracebacks.Allow(time.Now(), slog.LevelError, "traceback of a failed call") {
			logLine(log, line, whole)
		}
	}}
	_, _ = io.Copy(lines, r)
	lines.Flush()
}

func logLine(log *slog.Logger, line string, whole bool) {
	if line == "" {
		return // an empty print(): not worth a record
	}
	level, text := slog.LevelInfo, line
	var attrs []slog.Attr
	if line[0] == recordMark {
		level, text, attrs = parseRecord(line[1:])
	}
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if whole {
		log.LogAttrs(context.Background(), level, text, attrs...)
		return
	}
	for l := range strings.SplitSeq(text, "\n") {
		log.LogAttrs(context.Background(), level, l, attrs...)
	}
}

// parseRecord reads level, workflow, correlation id, traceparent, attributes and text.
// The names of the attributes are those of the Go runner.
func parseRecord(record string) (level slog.Level, text string, attrs []slog.Attr) {
	fields := strings.SplitN(record, fieldMark, 6)
	if len(fields) < 6 {
		return slog.LevelInfo, record, nil
	}
	switch fields[0] {
	case "D":
		level = slog.LevelDebug
	case "W":
		level = slog.LevelWarn
	case "E", "T":
		level = slog.LevelError
	}
	if fields[1] != "" || fields[2] != "" {
		attrs = append(attrs, slog.String("workflow", fields[1]), slog.String("correlationid", fields[2]))
	}
	if trace := event.NewTrace(fields[3], ""); trace != (event.Trace{}) {
		attrs = append(attrs, slog.String("trace_id", trace.ID()), slog.String("span_id", trace.SpanID()))
	}
	var given map[string]any
	if fields[4] != "" && json.Unmarshal([]byte(fields[4]), &given) == nil {
		for _, key := range slices.Sorted(maps.Keys(given)) {
			attrs = append(attrs, slog.Any(key, given[key]))
		}
	}
	return level, unescapeText(fields[5]), attrs
}

// unescapeText reverses the escaping with which the shim keeps a text on one line.
func unescapeText(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(s)
}
