package entrypoint

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// requestBytes is what a request in flight is counted as besides its data:
	// about half of what its goroutines, header and bookkeeping take.
	requestBytes = 16 << 10
	// defaultBudget is the budget where none is given.
	defaultBudget = 256 << 20
	// leastBudget is how many of the largest messages a budget must hold: one in
	// its structured form, decoded and encoded, with room for its response.
	leastBudget = 8
	// maxReadings bounds the requests that are being received at once.
	maxReadings = 4096
	// messageTime is how long a client may take to send a message.
	messageTime = 60 * time.Second
	// settled marks a count that has been given back as a whole. Whatever is
	// added to it afterwards leaves it below zero.
	settled = math.MinInt64 / 2
)

var (
	// errBudget refuses bytes for which there is no room. A later try may find it.
	errBudget = errors.New("the entrypoint holds as many bytes as it may; try again later")
	// errSlow ends a message that takes too long to arrive.
	errSlow = fmt.Errorf("the message did not arrive within %s", messageTime)
)

// budget counts the bytes that an entrypoint holds for its clients and nodes:
// requests from before they are read, responses until they are sent. When there
// is no room left, those who keep the most waiting give way: first connections
// that do not read their responses, then the messages that have been arriving
// for the longest, if such messages are much of what is held. All counts are
// atomic; only the search for victims locks.
type budget struct {
	limit    int64 // for everything
	requests int64 // for what clients send; responses may use the rest too
	held     atomic.Int64
	apart    atomic.Int64 // of held, payloads of work that nobody waits for
	inFlight *atomic.Int64

	readings []atomic.Pointer[reading]
	next     atomic.Uint32

	relief sync.Mutex // held while victims are sought
	conns  *connections
}

// DefaultBudget is Options.MaxBytes where none is given, for messages of up to
// the given number of bytes.
func DefaultBudget(maxMessageBytes int) int64 {
	return max(defaultBudget, LeastBudget(maxMessageBytes))
}

// LeastBudget is the least that Options.MaxBytes may be.
func LeastBudget(maxMessageBytes int) int64 { return leastBudget * int64(maxMessageBytes) }

func newBudget(limit int64, inFlight *atomic.Int64, readings int) *budget {
	b := &budget{
		limit: limit, requests: limit - limit/4, inFlight: inFlight,
		readings: make([]atomic.Pointer[reading], min(max(readings, 16), maxReadings)),
	}
	b.conns = newConnections(&b.held)
	return b
}

// used is how many bytes are held.
func (b *budget) used() int64 { return b.held.Load() + b.inFlight.Load()*requestBytes }

// take counts n bytes of a request, and reports whether there was room for them.
func (b *budget) take(n int64) bool {
	for b.held.Add(n)+b.inFlight.Load()*requestBytes > b.requests {
		b.held.Add(-n)
		if !b.relieve(n, b.requests, b.requests/4) {
			return false
		}
	}
	return true
}

// room reports whether there is room for n bytes of a response.
func (b *budget) room(n int64) bool {
	for b.used()+n > b.limit {
		if !b.relieve(n, b.limit, 0) {
			return false
		}
	}
	return true
}

// relieve makes room for n bytes, and reports whether there is any to try again.
// While the messages that are arriving have less than the given part none of
// them gives way: what fills the budget then is work, and would fill it again.
func (b *budget) relieve(n, limit, part int64) bool {
	b.relief.Lock()
	defer b.relief.Unlock()
	if b.used()+n <= limit {
		return true // somebody else has made room meanwhile
	}
	if b.conns.closeDeaf(time.Now()) {
		return true
	}
	if b.arriving() < part {
		return false
	}
	// Some more than needed, so that not every newcomer has to seek.
	for freed := int64(0); freed < n+limit/64; {
		oldest := b.oldest(math.MaxInt64)
		if oldest == nil {
			return freed > 0
		}
		freed += b.drop(oldest, errBudget)
	}
	return true
}

// arriving is how many bytes the messages hold that are arriving.
func (b *budget) arriving() (n int64) {
	for i := range b.readings {
		if r := b.readings[i].Load(); r != nil {
			n += max(r.bytes.Load(), 0) + requestBytes
		}
	}
	return n
}

// oldest returns the reading that began first, nil if none began before the
// given instant.
func (b *budget) oldest(before int64) *reading {
	var oldest *reading
	for i := range b.readings {
		if r := b.readings[i].Load(); r != nil && r.began < before {
			oldest, before = r, r.began
		}
	}
	return oldest
}

// drop ends a reading because of cause and returns how many bytes it held; 0 if
// it has arrived meanwhile. The caller holds relief.
func (b *budget) drop(r *reading, cause error) int64 {
	if !b.readings[r.slot].CompareAndSwap(r, nil) {
		return 0
	}
	return b.finish(r, cause)
}

// finish is drop for a reading that has just been taken out of its slot.
func (b *budget) finish(r *reading, cause error) int64 {
	r.cause.Store(&cause)
	n := r.bytes.Swap(settled)
	n += requestBytes // leaves with its place in flight, a moment later; see end
	b.held.Add(-n)
	r.abort(cause)
	return n
}

// sweep ends the readings that began before now less messageTime.
func (b *budget) sweep(now time.Time) {
	before := now.Add(-messageTime).UnixNano()
	for {
		b.relief.Lock()
		r := b.oldest(before)
		if r != nil {
			b.drop(r, errSlow)
		}
		b.relief.Unlock()
		if r == nil {
			return
		}
	}
}

// watch sweeps until stop is closed.
func (b *budget) watch(stop <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-ticker.C:
			b.sweep(now)
		}
	}
}

// reading is a message that is being received.
type reading struct {
	budget *budget
	began  int64 // Unix time in nanoseconds
	slot   int
	bytes  atomic.Int64 // counted for it; settled once they are given back
	cause  atomic.Pointer[error]
	whole  bool // the message has arrived; the receiver's own
	// abort ends the reading from another goroutine.
	abort func(cause error)
}

// begin counts n bytes for a message that is about to be received. The error is
// errBudget. Its end must be told by end.
func (b *budget) begin(r *reading, n int64) error {
	r.budget, r.began = b, time.Now().UnixNano()
	if !b.take(n) {
		return errBudget
	}
	r.bytes.Store(n)
	for first := int(b.next.Add(1)); ; {
		old := b.place(r, first)
		if old == nil {
			return nil
		}
		b.relief.Lock()
		replaced := b.readings[r.slot].CompareAndSwap(old, r)
		if replaced {
			b.finish(old, errBudget)
		}
		b.relief.Unlock()
		if replaced {
			return nil
		}
	}
}

// place puts r into the first free slot from first on. If there is none near, it
// returns the oldest reading there, and sets r's slot to that one's.
func (b *budget) place(r *reading, first int) (oldest *reading) {
	slot := 0
	for i := range 64 {
		r.slot = (first + i) % len(b.readings)
		if b.readings[r.slot].CompareAndSwap(nil, r) {
			return nil
		}
		if old := b.readings[r.slot].Load(); old != nil && (oldest == nil || old.began < oldest.began) {
			oldest, slot = old, r.slot
		}
	}
	if oldest == nil { // all became free meanwhile
		return b.place(r, first)
	}
	r.slot = slot
	return oldest
}

// grow counts n more bytes before they are read. The error says why the
// message cannot be received.
func (r *reading) grow(n int64) error {
	if !r.budget.take(n) {
		return r.failed(errBudget)
	}
	if r.bytes.Add(n) < 0 {
		r.budget.held.Add(-n)
		return r.failed(errBudget)
	}
	return nil
}

// failed is why the message cannot be received: it was dropped, or err.
func (r *reading) failed(err error) error {
	if cause := r.cause.Load(); cause != nil {
		return *cause
	}
	return err
}

// arrived ends the time in which the message may be dropped; false if it was.
func (r *reading) arrived() bool {
	r.whole = r.whole || r.budget.readings[r.slot].CompareAndSwap(r, nil)
	return r.whole
}

// end gives back what was counted.
func (r *reading) end() {
	if r.arrived() {
		r.budget.held.Add(-r.bytes.Swap(settled))
		return
	}
	r.budget.relief.Lock()          // until abort has returned
	r.budget.relief.Unlock()        //nolint:staticcheck // nothing is to be done meanwhile
	r.budget.held.Add(requestBytes) // its place in flight is given back now
}
