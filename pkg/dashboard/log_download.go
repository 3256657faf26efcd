package dashboard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/logview"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/logline"
)

// maxDownload bounds a download, in bytes, and maxDownloadTime in time.
const (
	maxDownload     = 256 << 20
	maxDownloadTime = 10 * time.Minute
)

// errEnough ends a download.
var errEnough = errors.New("the download is large enough")

// downloadLogs writes the lines that the query selects as text, as they are read: nothing is kept.
func downloadLogs(w http.ResponseWriter, r *request) error {
	f, q := newLogFilter(r, time.Now())
	if f.Problem != "" {
		return &source.RefusedError{Refusal: source.Conflict, Text: f.Problem}
	}
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	defer time.AfterFunc(maxDownloadTime, func() { end(errEnough) }).Stop()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-logs.txt"`, fileName(r.ref.Name)))
	out, written := bufio.NewWriterSize(w, 64<<10), 0
	put := func(text string) {
		n, err := out.WriteString(text)
		switch written += n; {
		case err != nil:
			end(err) // the browser has left
		case written > maxDownload:
			end(errEnough)
		}
	}
	err := r.source.Logs(ctx, r.ref, q, source.LogHandler{
		Line: func(l *logline.Line) {
			if ctx.Err() == nil {
				put(logText(l))
			}
		},
		Lost:   func(n int) { put(fmt.Sprintf("(%s missing)\n", legible.Count(n, "line"))) },
		Failed: func(text string) { put("(" + logview.Clean(text) + ")\n") },
	})
	switch {
	case errors.Is(context.Cause(ctx), errEnough):
		put(fmt.Sprintf("(The rest is left out: a download ends after %s, or %s.)\n", legible.Bytes(maxDownload), maxDownloadTime))
	case err != nil && written == 0:
		h.Del("Content-Disposition")
		return err
	case err != nil:
		put("(" + logview.Clean(err.Error()) + ")\n")
	}
	_ = out.Flush() // an error means that nobody reads it
	return nil
}

// logText is a line of a download: its time, its node and its message, whose further lines are
// indented, so that no line can pass for another node's.
func logText(l *logline.Line) string {
	stamp := "-"
	if !l.Time.IsZero() {
		stamp = l.Time.UTC().Format(time.RFC3339Nano)
	}
	return stamp + " [" + legible.Line(l.Node, maxQuery) + "] " + strings.ReplaceAll(logview.Clean(l.Message()), "\n", "\n    ") + "\n"
}

// fileName is a name as a part of that of a file: letters, digits, dots and hyphens.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, name)
}
