package cluster

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

// MaxLogLine is how many bytes of a line of a log are kept, its timestamp included. The
// rest of a longer line is left out.
const MaxLogLine = 1 << 20

// LogLine is a line of a pod's log.
type LogLine struct {
	// Time is when the container runtime recorded the line; zero for a line of the kubelet
	// about the log itself.
	Time time.Time
	// Node is the name of the node that logged the line, or [Entrypoint].
	Node string
	// Pod is the name of the pod.
	Pod string
	// Text is the line without its end.
	Text string
	// Fields are those of a structured line, a JSON object; nil for any other text.
	Fields map[string]any
}

// Field returns a field of a structured line as text, "" if it has none of that name.
func (l *LogLine) Field(name string) string {
	switch value := l.Fields[name].(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		return fmt.Sprint(value)
	}
}

// parseLogLine reads a line that begins with the time at which it was recorded.
func parseLogLine(line string) LogLine {
	l := LogLine{Text: line}
	if stamp, rest, ok := strings.Cut(line, " "); ok {
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			l.Time, l.Text = at, rest
		}
	}
	if strings.HasPrefix(l.Text, "{") {
		// What is not JSON is text.
		_ = json.Unmarshal([]byte(l.Text), &l.Fields)
	}
	return l
}

// lineReader splits a log into lines.
type lineReader struct {
	from *bufio.Reader
	// within is set while the rest of a line is read that has been returned cut.
	within bool
}

func newLineReader(from io.Reader) *lineReader {
	return &lineReader{from: bufio.NewReaderSize(from, 64<<10)}
}

// next returns the next line without its end; whole reports that there is no more to come
// of it: it had an end, or was cut at [MaxLogLine]. A line that the log breaks off in is
// returned with the error, which is io.EOF at the end of the log.
func (r *lineReader) next() (text string, whole bool, err error) {
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
		if line = append(line, part...); len(line) > MaxLogLine {
			r.within = more
			return string(line[:clip.At(line, MaxLogLine)]), true, err
		}
		if err != nil {
			return string(line), false, err
		}
		if !more {
			return string(bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))), true, nil
		}
	}
}
