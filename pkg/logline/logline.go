// Package logline reads the lines of logs, plain or structured, whatever their length, and
// knows which lines of a log that is opened again are new.
package logline

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// Max is how many bytes of a line of a log are kept, its timestamp included. The
// rest of a longer line is left out.
const Max = 1 << 20

// Line is a line of a pod's log.
type Line struct {
	// Time is when the container runtime recorded the line; zero for a line of the kubelet
	// about the log itself.
	Time time.Time
	// Node is the name of the node that logged the line, or "entrypoint". [Parse] leaves it
	// and Pod empty.
	Node string
	// Pod is the name of the pod.
	Pod string
	// Text is the line without its end.
	Text string
	// Fields are those of a structured line, a JSON object; nil for any other text.
	Fields map[string]any
}

// Field returns a field of a structured line as text, "" if it has none of that name.
func (l *Line) Field(name string) string {
	switch value := l.Fields[name].(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// Parse reads a line that begins with the time at which it was recorded.
func Parse(line string) Line {
	if stamp, rest, ok := strings.Cut(line, " "); ok {
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			return Of(at, rest)
		}
	}
	return Of(time.Time{}, line)
}

// Of is the line of a text that was recorded at a time.
func Of(at time.Time, text string) Line {
	l := Line{Time: at, Text: text}
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &l.Fields) != nil {
		l.Fields = nil // what is not JSON is text
	}
	return l
}

// Reader splits a log into lines.
type Reader struct {
	from *bufio.Reader
	// within is set while the rest of a line is read that has been returned cut.
	within bool
}

// NewReader returns a reader of the lines of from.
func NewReader(from io.Reader) *Reader {
	return &Reader{from: bufio.NewReaderSize(from, 64<<10)}
}

// Next returns the next line without its end. whole is set if the line had an end, or was
// cut at [Max]; the beginning of a line in which the log breaks off is returned with
// the error, which is io.EOF at the end of the log.
func (r *Reader) Next() (text string, whole bool, err error) {
	var line []byte
	for {
		part, err := r.from.ReadSlice('\n')
		more := errors.Is(err, bufio.ErrBufferFull)
		if more {
			err = nil
		}
		if r.within {
			r.within = more
			if err != nil {
				return "", false, err
			}
			continue
		}
		if line = append(line, part...); len(line) > Max {
			r.within = more
			return string(line[:clip.At(line, Max)]), true, err
		}
		if err != nil {
			return string(line), false, err
		}
		if !more {
			return string(bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))), true, nil
		}
	}
}
