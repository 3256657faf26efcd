package local

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/logline"
)

// What is kept of the output of each node, and of the entrypoint.
const (
	keptLines = 2000
	keptBytes = 1 << 20
)

// Line is a line of output.
type Line struct {
	// Seq counts the lines of the run, from 1.
	Seq  int64
	Time time.Time
	// Node is the node's name, or "entrypoint"; Stream is "stdout" or "stderr".
	Node, Stream, Text string
}

// kept is a line that is kept.
type kept struct {
	Line
	once   sync.Once
	parsed logline.Line
}

// parse returns the line as pages read it, which is parsed once for all of them, and not before one
// reads it. Nobody may change it.
func (k *kept) parse() *logline.Line {
	k.once.Do(func() {
		k.parsed = logline.Of(k.Time, k.Text)
		k.parsed.Node = k.Node
	})
	return &k.parsed
}

// lines are the last lines of each component.
type lines struct {
	news *fanout // of new lines

	mu    sync.Mutex
	seq   int64
	tails map[string]*tail
}

// tail is the last lines of one component, oldest first.
type tail struct {
	lines []*kept
	bytes int
}

func newLines() *lines { return &lines{news: newFanout(), tails: map[string]*tail{}} }

// add keeps a line, in place of the oldest ones of its component.
func (l *lines) add(line Line) {
	l.mu.Lock()
	l.seq++
	line.Seq = l.seq
	t := l.tails[line.Node]
	if t == nil {
		t = &tail{}
		l.tails[line.Node] = t
	}
	t.add(line)
	l.mu.Unlock()
	l.news.publish()
}

func (t *tail) add(line Line) {
	t.lines = append(t.lines, &kept{Line: line})
	t.bytes += len(line.Text)
	for len(t.lines) > 1 && (len(t.lines) > keptLines || t.bytes > keptBytes) {
		t.bytes -= len(t.lines[0].Text)
		t.lines[0] = nil
		t.lines = t.lines[1:]
	}
}

// last is the text of the component's newest line that is not empty, "" without one.
func (l *lines) last(node string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tails[node]; t != nil {
		for _, line := range slices.Backward(t.lines) {
			if text := strings.TrimRight(line.parse().Message(), "\n"); text != "" {
				return text[strings.LastIndexByte(text, '\n')+1:]
			}
		}
	}
	return ""
}

// after returns the kept lines of all components that came after the one with the number seq,
// oldest first. If the first is not number seq+1, earlier ones may have been dropped.
func (l *lines) after(seq int64) []*kept {
	found, several := l.since(seq)
	if several {
		slices.SortFunc(found, func(a, b *kept) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	return found
}

// since returns the lines one component after the other, and whether they are of several.
func (l *lines) since(seq int64) (found []*kept, several bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tails {
		from, _ := slices.BinarySearchFunc(t.lines, seq+1, func(line *kept, seq int64) int { return cmp.Compare(line.Seq, seq) })
		several = several || len(found) > 0 && from < len(t.lines)
		found = append(found, t.lines[from:]...)
	}
	return found, several
}
