package child

import (
	"bytes"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// longestLine is Lines.Most unless that is set.
const longestLine = 64 << 10

// keptBytes is how much room is kept for the next line, after a longer one too.
const keptBytes = 16 << 10

// Lines cuts what is written to it into lines.
type Lines struct {
	// Each gets every line, without its end.
	Each func(line string)
	// Most bounds a line, in bytes, to at least 4; 64 KiB if 0. A longer line is cut
	// between characters.
	Most int
	// Drop leaves out what is beyond Most. Without it, that is passed on as further
	// lines.
	Drop bool

	rest []byte // of a line whose end has not come
	full bool   // the rest of the line is dropped
}

// Write never fails.
func (l *Lines) Write(p []byte) (int, error) {
	written := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		l.add(p[:end])
		l.send(l.rest)
		l.rest, l.full = l.rest[:0], false
		if cap(l.rest) > keptBytes {
			l.rest = nil
		}
		p = p[end+1:]
	}
	l.add(p)
	return written, nil
}

// Flush passes on a last line that has no end.
func (l *Lines) Flush() {
	if len(l.rest) > 0 {
		l.send(l.rest)
	}
	l.rest, l.full = nil, false
}

// add appends text that has no end of a line.
func (l *Lines) add(text []byte) {
	if l.full {
		return
	}
	most := l.Most
	if most == 0 {
		most = longestLine
	}
	// One byte more than fits shows whether the last character is whole.
	for room := most + 1 - len(l.rest); len(text) >= room; room = most + 1 - len(l.rest) {
		l.rest = append(l.rest, text[:room]...)
		text = text[room:]
		at := clip.At(l.rest, most)
		if l.Drop {
			l.rest, l.full = l.rest[:at], true
			return
		}
		l.send(l.rest[:at])
		l.rest = append(l.rest[:0], l.rest[at:]...)
	}
	l.rest = append(l.rest, text...)
}

func (l *Lines) send(line []byte) { l.Each(string(bytes.TrimSuffix(line, []byte("\r")))) }
