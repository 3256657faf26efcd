package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/local"
)

const (
	// Without a reader, a pipe or a paused terminal blocks whoever writes to it. What a run
	// prints waits here instead, up to this many texts and bytes.
	mostWaiting      = 10_000
	mostWaitingBytes = 8 << 20
	// outboxPatience limits the wait for the output at the end of a run.
	outboxPatience = time.Second
)

// outbox is a writer that never blocks: a goroutine of its own writes to the output. When
// too much waits, it drops what comes until all that waits is written, and then reports
// how many lines are missing there.
type outbox struct {
	to      io.Writer
	dropped func(lines int) string // the report
	unread  func()                 // called when nobody reads the output any more

	mu      sync.Mutex
	changed *sync.Cond
	waiting [][]byte
	bytes   int // in waiting
	lost    int // lines dropped since the last report
	ended   bool
	done    chan struct{} // closed when all is written after the end
}

// newOutbox returns an outbox before to; the text of dropped reports lost lines. When the reader of to has
// closed it, unread is called, perhaps more than once.
func newOutbox(to io.Writer, dropped func(lines int) string, unread func()) *outbox {
	b := &outbox{to: to, dropped: dropped, unread: unread, done: make(chan struct{})}
	b.changed = sync.NewCond(&b.mu)
	go b.run()
	return b
}

// Write takes whole lines. It always succeeds.
func (b *outbox) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended:
	case b.lost > 0, len(b.waiting) >= mostWaiting, b.bytes+len(text) > mostWaitingBytes:
		b.lost += bytes.Count(text, []byte("\n"))
	default:
		b.waiting = append(b.waiting, bytes.Clone(text))
		b.bytes += len(text)
	}
	b.changed.Signal()
	return len(text), nil
}

// end returns when all that waits is written, or after patience.
func (b *outbox) end(patience time.Duration) {
	b.mu.Lock()
	b.ended = true
	b.changed.Signal()
	b.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-b.done:
	case <-timer.C:
	}
}

func (b *outbox) run() {
	defer close(b.done)
	for {
		text := b.next()
		if text == nil {
			return
		}
		if _, err := b.to.Write(text); errors.Is(err, syscall.EPIPE) {
			b.unread()
		}
	}
}

// next waits for a text to write; nil after the last one.
func (b *outbox) next() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.waiting) == 0 && b.lost == 0 && !b.ended {
		b.changed.Wait()
	}
	if len(b.waiting) > 0 {
		text := b.waiting[0]
		b.waiting[0], b.waiting = nil, b.waiting[1:]
		b.bytes -= len(text)
		return text
	}
	if lost := b.lost; lost > 0 {
		b.lost = 0
		return []byte(b.dropped(lost))
	}
	return nil
}

// dropped is the report, in the format of o, that lines are missing in the output.
func (o runOptions) dropped(lines int) string {
	var text strings.Builder
	o.streams.Out = &text
	newConsole(o).Event(local.Event{
		Type: local.EventWarning,
		Text: fmt.Sprintf("lines dropped here because the output was not read in time: %d", lines),
	})
	return text.String()
}
