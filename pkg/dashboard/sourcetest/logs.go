package sourcetest

import (
	"context"
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/logline"
)

// Logs are the lines that a [Memory] has.
type Logs struct {
	// Refuse is the error of all methods, if it is not nil; Failed are sentences about single logs.
	Refuse error
	Failed []string

	mu    sync.Mutex
	lines []logline.Line
	more  chan struct{} // closed at the next line
}

func newLogs() *Logs { return &Logs{more: make(chan struct{})} }

// Add adds lines.
func (l *Logs) Add(lines ...logline.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, lines...)
	close(l.more)
	l.more = make(chan struct{})
}

// pass passes on the lines after the first n, and returns how many there are now.
func (l *Logs) pass(n int, q source.LogQuery, to source.LogHandler) (now int, more <-chan struct{}) {
	l.mu.Lock()
	news, more := slices.Clone(l.lines[n:]), l.more
	now = len(l.lines)
	l.mu.Unlock()
	for i := range news {
		if q.Match(&news[i]) {
			to.Line(&news[i])
		}
	}
	return now, more
}

// Logs implements [source.LogReaders].
func (m *Memory) Logs(_ context.Context, _ source.Ref, q source.LogQuery, to source.LogHandler) error {
	if m.Logged.Refuse != nil {
		return m.Logged.Refuse
	}
	m.Logged.pass(0, q, to)
	for _, text := range m.Logged.Failed {
		to.Failed(text)
	}
	return nil
}

// FollowLogs implements [source.LogReaders].
func (m *Memory) FollowLogs(ctx context.Context, _ source.Ref, q source.LogQuery, to source.LogHandler) error {
	if m.Logged.Refuse != nil {
		return m.Logged.Refuse
	}
	for _, text := range m.Logged.Failed {
		to.Failed(text)
	}
	for n := 0; ; {
		now, more := m.Logged.pass(n, q, to)
		n = now
		select {
		case <-ctx.Done():
			return nil
		case <-more:
		}
	}
}
