package logview

import (
	"slices"
	"sync"

	"krt.dev/kn-krt/pkg/logline"
)

// Bounds of what waits for a browser, and so of what one batch has. A page shows [MaxShown] lines.
const (
	// MaxShown is how many lines a page shows at most, and how many the first batch may have.
	MaxShown = 2000
	maxBatch = 400
	maxBytes = 512 << 10
)

// Feed holds lines until they are sent. Adding never waits: when lines come faster than they are
// taken, the oldest are dropped and counted. It may be used by many goroutines at a time.
type Feed struct {
	ready chan struct{} // has an element when there is something to take

	mu      sync.Mutex
	waiting []waiting
	bytes   int
	dropped int
	taken   bool // the first batch is
}

// waiting is a line that waits: most of them are dropped when lines come fast, so that it is made fit
// for a page when it is taken. One that is longer than what a page shows of it is made before, and the
// rest of it is not kept.
type waiting struct {
	from logline.Line // without its fields, which may be 25 times as large as the text
	made *Line        // nil if it is made of from
	size int
}

func newWaiting(from *logline.Line) waiting {
	if len(from.Text) > maxMessage {
		made := Of(from)
		return waiting{made: &made, size: made.size()}
	}
	w := waiting{from: *from, size: len(from.Text)}
	w.from.Fields = nil
	return w
}

// line is the line for a page.
func (w *waiting) line() Line {
	if w.made != nil {
		return *w.made
	}
	from := logline.Of(w.from.Time, w.from.Text)
	from.Node, from.Pod = w.from.Node, w.from.Pod
	return Of(&from)
}

// Batch is what a page gets at a time.
type Batch struct {
	// Dropped is how many lines before those of the batch are missing.
	Dropped int
	Lines   []Line
}

// NewFeed makes an empty feed.
func NewFeed() *Feed { return &Feed{ready: make(chan struct{}, 1)} }

// Add adds a line.
func (f *Feed) Add(from *logline.Line) {
	w := newWaiting(from)
	f.mu.Lock()
	f.waiting = append(f.waiting, w)
	f.bytes += w.size
	f.trim()
	f.mu.Unlock()
	f.signal()
}

// Lose counts lines that were missed before they could be added.
func (f *Feed) Lose(n int) {
	if n <= 0 {
		return
	}
	f.mu.Lock()
	f.dropped += n
	f.mu.Unlock()
	f.signal()
}

func (f *Feed) signal() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// trim drops the oldest lines that are too many. f is locked.
func (f *Feed) trim() {
	most := maxBatch
	if !f.taken {
		most = MaxShown
	}
	for len(f.waiting) > most || f.bytes > maxBytes && len(f.waiting) > 1 {
		f.bytes -= f.waiting[0].size
		f.waiting[0] = waiting{} // its texts are not needed
		f.waiting = f.waiting[1:]
		f.dropped++
	}
}

// Ready has an element once there is something to take.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Take returns what waits in the order of time, and has it no more: pods that are read at the same
// time bring their lines one pod after the other.
func (f *Feed) Take() Batch {
	f.mu.Lock()
	b, taken := Batch{Dropped: f.dropped}, f.waiting
	f.dropped, f.waiting, f.bytes, f.taken = 0, nil, 0, true
	f.mu.Unlock()
	for i := range taken {
		b.Lines = append(b.Lines, taken[i].line())
	}
	b.trim()
	slices.SortStableFunc(b.Lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
	return b
}

// trim drops the oldest lines that are too many bytes: what is escaped is longer than it was.
func (b *Batch) trim() {
	bytes, first := 0, len(b.Lines)
	for first > 0 && (bytes == 0 || bytes+b.Lines[first-1].size() <= maxBytes) {
		first--
		bytes += b.Lines[first].size()
	}
	b.Dropped, b.Lines = b.Dropped+first, b.Lines[first:]
}
