package local

import (
	"bytes"
	"sync"
	"unicode/utf8"
)

// maxLine bounds a line of output, in bytes; a longer one comes in pieces.
const maxLine = 64 << 10

// lines cuts what is written to it into lines.
type lines struct {
	emit func(line string)
	rest []byte
}

func newLines(emit func(line string)) *lines { return &lines{emit: emit} }

// Write never fails.
func (l *lines) Write(p []byte) (int, error) {
	written := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		l.add(p[:end])
		l.send(l.rest)
		l.rest = l.rest[:0]
		p = p[end+1:]
	}
	l.add(p)
	return written, nil
}

// add appends a piece of a line, sending off what is too long.
func (l *lines) add(piece []byte) {
	for len(l.rest)+len(piece) > maxLine {
		room := maxLine - len(l.rest)
		l.rest = append(l.rest, piece[:room]...)
		piece = piece[room:]
		cut := wholeRunes(l.rest)
		l.send(l.rest[:cut])
		l.rest = append(l.rest[:0], l.rest[cut:]...)
	}
	l.rest = append(l.rest, piece...)
}

// flush sends a last line that has no newline.
func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.send(l.rest)
		l.rest = nil
	}
}

func (l *lines) send(line []byte) { l.emit(string(bytes.TrimSuffix(line, []byte("\r")))) }

// wholeRunes returns how much of b does not end within a character.
func wholeRunes(b []byte) int {
	for back := 1; back <= utf8.UTFMax && back < len(b); back++ {
		if c := b[len(b)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-back:]) {
				return len(b) - back
			}
			break
		}
	}
	return len(b)
}

// tail keeps the last lines of a process's output, for the message that says
// why it failed.
type tail struct {
	mu    sync.Mutex
	lines []string
	next  int
}

// tailLines is how many lines a tail keeps: a Python traceback with its frames.
const tailLines = 20

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, line)
		return
	}
	t.lines[t.next] = line
	t.next = (t.next + 1) % tailLines
}

// all returns the lines, oldest first.
func (t *tail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(append([]string{}, t.lines[t.next:]...), t.lines[:t.next]...)
}
