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
	"krt.dev/kn-krt/pkg/runner/loglimit"
)

const (
	// maxLineBytes bounds a line of output; the rest of a longer one is dropped.
	maxLineBytes = 256 << 10
	recordMark   = '\x1e'
	fieldMark    = "\x1f"
	// tracebackMark begins the record that a failed call causes.
	tracebackMark = string(recordMark) + "T" + fieldMark
)

// copyOutput makes a log line of each line that a Python process writes, until
// its output ends. shim/_krt_runner/logs.py says how its records look; any other line is
// what native code or a child of the node wrote.
//
// Text that has several lines, such as a traceback, stays one record where the
// format can show it (JSON, plain) and becomes a record a line otherwise, or
// nobody could read it.
//
// The traceback of a failed call is written as often as tracebacks allows.
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
		return // print() of nothing: an empty record tells nothing
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

// parseRecord reads level, workflow, correlation id, attributes and text. The
// attributes' names are those of the Go runner's lines.
func parseRecord(record string) (level slog.Level, text string, attrs []slog.Attr) {
	fields := strings.SplitN(record, fieldMark, 5)
	if len(fields) < 5 {
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
	var given map[string]any
	if fields[3] != "" && json.Unmarshal([]byte(fields[3]), &given) == nil {
		for _, key := range slices.Sorted(maps.Keys(given)) {
			attrs = append(attrs, slog.Any(key, given[key]))
		}
	}
	return level, unescapeText(fields[4]), attrs
}

// unescapeText undoes what the shim does to keep a text on one line.
func unescapeText(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(s)
}
