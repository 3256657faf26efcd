package memory

import (
	"bytes"
	"io"
	"sync/atomic"
	"time"
)

const (
	// WindowBytes is what a client may send of a message before it is read, and
	// the most that one read brings.
	WindowBytes = 64 << 10
	// SmallHeader is the size of a header that [RequestBytes] covers.
	SmallHeader = 1 << 10
)

// Upload is a message that is being received. Its bytes are counted before they
// are read.
type Upload struct {
	// Abort ends the receiving from another goroutine: the client has waited for
	// too long, or gives way to others.
	Abort func(cause error)

	budget *Budget
	began  int64 // Unix time in nanoseconds
	slot   int
	header int64        // counted for its header
	bytes  atomic.Int64 // counted for it; settled once they are given back
	cause  atomic.Pointer[error]
	whole  bool // the message has arrived; the receiver's own
}

// Begin counts n bytes for a message that is about to be received. The error is
// [ErrFull]. Without an error, End must be called.
func (b *Budget) Begin(u *Upload, n int64) error {
	u.budget, u.began = b, time.Now().UnixNano()
	if !b.Reserve(n) {
		return ErrFull
	}
	u.header = n
	u.bytes.Store(n)
	for first := int(b.next.Add(1)); ; {
		old := b.place(u, first)
		if old == nil {
			return nil
		}
		b.relief.Lock()
		replaced := b.uploads[u.slot].CompareAndSwap(old, u)
		if replaced {
			b.finish(old, ErrFull)
		}
		b.relief.Unlock()
		if replaced {
			return nil
		}
	}
}

// place puts u into the first free slot from first on. If there is none near, it
// returns the oldest upload there, and sets u's slot to that one's.
func (b *Budget) place(u *Upload, first int) (oldest *Upload) {
	slot := 0
	for i := range 64 {
		u.slot = (first + i) % len(b.uploads)
		if b.uploads[u.slot].CompareAndSwap(nil, u) {
			return nil
		}
		if old := b.uploads[u.slot].Load(); old != nil && (oldest == nil || old.began < oldest.began) {
			oldest, slot = old, u.slot
		}
	}
	if oldest == nil { // all became free meanwhile
		return b.place(u, first)
	}
	u.slot = slot
	return oldest
}

// Grow counts n more bytes before they are read. The error is why the message cannot
// be received.
func (u *Upload) Grow(n int64) error {
	if !u.budget.Reserve(n) {
		return u.Failed(ErrFull)
	}
	if u.bytes.Add(n) < 0 {
		u.budget.Release(n)
		return u.Failed(ErrFull)
	}
	return nil
}

// Failed is why the message cannot be received: it was dropped, or err.
func (u *Upload) Failed(err error) error {
	if cause := u.cause.Load(); cause != nil {
		return *cause
	}
	return err
}

// Arrived ends the time in which the message may be dropped; false if it was.
func (u *Upload) Arrived() bool {
	u.whole = u.whole || u.budget.uploads[u.slot].CompareAndSwap(u, nil)
	return u.whole
}

// Done gives back what was counted but for the header: the message has arrived, and is not needed
// any more, while its request goes on.
func (u *Upload) Done() {
	if u.Arrived() {
		u.budget.Release(u.bytes.Swap(u.header) - u.header)
	}
}

// End gives back what was counted.
func (u *Upload) End() {
	if u.Arrived() {
		u.budget.Release(u.bytes.Swap(settled))
		return
	}
	u.budget.relief.Lock()          // until Abort has returned
	u.budget.relief.Unlock()        //nolint:staticcheck // nothing is to be done meanwhile
	u.budget.held.Add(RequestBytes) // its place in flight is given back now
}

// Reader reads a message, or what it becomes when it is decompressed. Its bytes are
// counted before they are read.
type Reader struct {
	// From is read.
	From io.Reader
	// Upload is the message.
	Upload *Upload

	read, counted int64
}

// Read implements io.Reader. Its errors are those of From and of [Upload.Grow].
func (r *Reader) Read(p []byte) (int, error) {
	p = p[:min(len(p), WindowBytes)]
	if more := r.read + int64(len(p)) - r.counted; more > 0 { // a read may bring less than it could
		if err := r.Upload.Grow(more); err != nil {
			return 0, err
		}
		r.counted += more
	}
	n, err := r.From.Read(p)
	r.read += int64(n)
	return n, err
}

// Again has data, which is all that was read so far, read once more. Behind it comes what is left
// of From, or err if that is not nil.
func (r *Reader) Again(data []byte, err error) {
	rest := r.From
	if err != nil {
		rest = failed{err}
	}
	r.From, r.read = io.MultiReader(bytes.NewReader(data), rest), 0
}

// failed is a reader that has failed.
type failed struct{ err error }

// Read implements io.Reader.
func (f failed) Read([]byte) (int, error) { return 0, f.err }

// arriving is how many bytes the messages hold that are arriving.
func (b *Budget) arriving() (n int64) {
	for i := range b.uploads {
		if u := b.uploads[i].Load(); u != nil {
			n += max(u.bytes.Load(), 0) + RequestBytes
		}
	}
	return n
}

// oldest returns the upload that began first, nil if none began before the given
// instant.
func (b *Budget) oldest(before int64) *Upload {
	var oldest *Upload
	for i := range b.uploads {
		if u := b.uploads[i].Load(); u != nil && u.began < before {
			oldest, before = u, u.began
		}
	}
	return oldest
}

// drop ends an upload because of cause and returns how many bytes it held; 0 if
// it has arrived meanwhile. Its caller holds relief.
func (b *Budget) drop(u *Upload, cause error) int64 {
	if !b.uploads[u.slot].CompareAndSwap(u, nil) {
		return 0
	}
	return b.finish(u, cause)
}

// finish is drop for an upload that has just been taken out of its slot.
func (b *Budget) finish(u *Upload, cause error) int64 {
	u.cause.Store(&cause)
	n := u.bytes.Swap(settled)
	n += RequestBytes // leaves with its place in flight, a moment later; see End
	b.Release(n)
	u.Abort(cause)
	return n
}

// sweep ends the uploads that began before now less uploadTime.
func (b *Budget) sweep(now time.Time) {
	before := now.Add(-uploadTime).UnixNano()
	for {
		b.relief.Lock()
		u := b.oldest(before)
		if u != nil {
			b.drop(u, ErrSlow)
		}
		b.relief.Unlock()
		if u == nil {
			return
		}
	}
}

// HeaderBytes is the size of h as HTTP/2 counts it (RFC 9113, 6.5.2).
func HeaderBytes[H ~map[string][]string](h H) (n int) {
	for name, values := range h {
		for _, value := range values {
			n += len(name) + len(value) + 32
		}
	}
	return n
}
