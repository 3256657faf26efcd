package local

import (
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/logline"
)

// tail keeps the last lines of a process's output, for the message that reports
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

// all returns the last lines as a person reads them, oldest first.
func (t *tail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, line := range slices.Concat(t.lines[t.next:], t.lines[:t.next]) {
		all = append(all, logline.Texts(line)...)
	}
	return all[max(0, len(all)-tailLines):]
}
