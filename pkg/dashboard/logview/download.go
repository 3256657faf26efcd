package logview

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

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

// Download writes the lines that q selects as text, as they are read: nothing is kept. It returns an
// error if nothing was written by then; a later one is a line of the text.
func (v Version) Download(ctx context.Context, q source.LogQuery, w io.Writer) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer time.AfterFunc(maxDownloadTime, func() { end(errEnough) }).Stop()
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
	err := v.Source.Logs(ctx, v.Ref, q, source.LogHandler{
		Line: func(l *logline.Line) {
			if ctx.Err() == nil {
				put(plain(l))
			}
		},
		Lost:   func(n int) { put(fmt.Sprintf("(%s missing)\n", legible.Count(n, "line"))) },
		Failed: func(text string) { put("(" + Clean(text) + ")\n") },
	})
	switch {
	case errors.Is(context.Cause(ctx), errEnough):
		put(fmt.Sprintf("(The rest is left out: a download ends after %s, or %s.)\n", legible.Bytes(maxDownload), maxDownloadTime))
	case err != nil && written == 0:
		return err
	case err != nil:
		put("(" + Clean(err.Error()) + ")\n")
	}
	_ = out.Flush() // an error means that nobody reads it
	return nil
}

// plain is a line of a download: its time, its node and its message, whose further lines are
// indented, so that no line can pass for another node's.
func plain(l *logline.Line) string {
	stamp := "-"
	if !l.Time.IsZero() {
		stamp = l.Time.UTC().Format(time.RFC3339Nano)
	}
	return stamp + " [" + legible.Line(l.Node, maxName) + "] " + strings.ReplaceAll(Clean(l.Message()), "\n", "\n    ") + "\n"
}

// FileName is the name of a version as a part of that of a file: letters, digits, dots and hyphens.
func (v Version) FileName() string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, v.Ref.Name) + "-logs.txt"
}
