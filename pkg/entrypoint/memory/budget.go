// Package memory bounds the bytes that an entrypoint holds for its clients and
// its nodes: one [Budget] for messages that arrive ([Upload]), messages that are
// being worked on ([Pool], [Payload]) and responses that clients have not read
// yet ([Connection]).
package memory

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// RequestBytes is what a request in flight is counted as in addition to its
	// data: about half of what its goroutines, header and bookkeeping take.
	RequestBytes = 16 << 10
	// defaultBudget is the budget where none is given.
	defaultBudget = 256 << 20
	// leastBudget is how many of the largest messages a budget must hold: one in
	// its structured form, decoded and encoded, with room for its response.
	leastBudget = 8
	// maxUploads bounds the messages that are being received at once.
	maxUploads = 4096
	// uploadTime is how long a client may take to send a message.
	uploadTime = 60 * time.Second
	// settled marks a count that has been given back as a whole. Whatever is
	// added to it afterwards leaves it below zero.
	settled = math.MinInt64 / 2
)

var (
	// ErrFull refuses bytes for which there is no room. A later try may find it.
	ErrFull = errors.New("the entrypoint holds as many bytes as it may; try again later")
	// ErrSlow ends a message that takes too long to arrive.
	ErrSlow = fmt.Errorf("the message did not arrive within %s", uploadTime)
)

// Budget counts the bytes that an entrypoint holds for its clients and nodes:
// requests from before they are read, responses until they are sent. When there
// is no room left, those that have been waiting the longest give way: first
// connections whose clients do not read their responses, then the messages that
// have been arriving for the longest, if such messages are much of what is held.
// All counts are atomic; only the search for victims locks.
type Budget struct {
	limit    int64 // for everything
	requests int64 // for what clients send; responses may use the rest too
	held     atomic.Int64
	apart    atomic.Int64 // of held, payloads of work that nobody waits for
	decoding atomic.Int64 // not in held: it must not push out what others send
	inFlight *atomic.Int64

	uploads []atomic.Pointer[Upload]
	next    atomic.Uint32

	relief sync.Mutex // held while victims are sought
	conns  *connections
}

// DefaultBudget is the budget in bytes where none is given, for messages of up
// to the given number of bytes.
func DefaultBudget(maxMessageBytes int) int64 {
	return max(defaultBudget, LeastBudget(maxMessageBytes))
}

// LeastBudget is the least that a budget may be, in bytes.
func LeastBudget(maxMessageBytes int) int64 { return leastBudget * int64(maxMessageBytes) }

// New returns a budget of limit bytes, of which each request in flight takes
// [RequestBytes]. At most about the given number of uploads are received at once.
func New(limit int64, inFlight *atomic.Int64, uploads int) *Budget {
	b := &Budget{
		limit: limit, requests: limit - limit/4, inFlight: inFlight,
		uploads: make([]atomic.Pointer[Upload], min(max(uploads, 16), maxUploads)),
	}
	b.conns = newConnections(&b.held)
	return b
}

// Used is how many bytes are held.
func (b *Budget) Used() int64 { return b.held.Load() + b.inFlight.Load()*RequestBytes }

// Reserve counts n bytes of a request, and reports whether there was room for
// them. They are given back by Release.
func (b *Budget) Reserve(n int64) bool {
	for b.held.Add(n)+b.inFlight.Load()*RequestBytes > b.requests {
		b.held.Add(-n)
		if !b.relieve(n, b.requests, b.requests/4) {
			return false
		}
	}
	return true
}

// Spare counts n bytes of work that may be left out, and reports whether there was room for them:
// nothing gives way for it, and half of the budget stays for others. They are given back by Release.
func (b *Budget) Spare(n int64) bool {
	if b.held.Add(n)+b.inFlight.Load()*RequestBytes > b.limit/2 {
		b.held.Add(-n)
		return false
	}
	return true
}

// Add counts n bytes that are held whether there is room for them or not. They are given back by Release.
func (b *Budget) Add(n int64) { b.held.Add(n) }

// Release gives n reserved bytes back.
func (b *Budget) Release(n int64) { b.held.Add(-n) }

// Decode counts n bytes that decoding a message takes for a moment, and reports
// whether there is room for them: half as much as the whole budget, in addition to
// it. They are given back by Decoded.
func (b *Budget) Decode(n int64) bool {
	if b.decoding.Add(n) > b.limit/2 {
		b.decoding.Add(-n)
		return false
	}
	return true
}

// Decodable reports whether there can ever be room to decode a message that takes n bytes.
func (b *Budget) Decodable(n int64) bool { return n <= b.limit/2 }

// Decoded gives n bytes of a decoded message back.
func (b *Budget) Decoded(n int64) { b.decoding.Add(-n) }

// HasRoom reports whether there is room for n bytes of a response.
func (b *Budget) HasRoom(n int64) bool {
	for b.Used()+n > b.limit {
		if !b.relieve(n, b.limit, 0) {
			return false
		}
	}
	return true
}

// relieve makes room for n bytes, and reports whether there is any to try again.
// While the messages that are arriving have less than the given part none of
// them gives way: what fills the budget then is work, and would fill it again.
func (b *Budget) relieve(n, limit, part int64) bool {
	b.relief.Lock()
	defer b.relief.Unlock()
	if b.Used()+n <= limit {
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
		freed += b.drop(oldest, ErrFull)
	}
	return true
}

// Watch ends messages that take too long to arrive, until stop is closed.
func (b *Budget) Watch(stop <-chan struct{}) {
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

// Refusal is the status of a message that could not be received because of err;
// nil if err is neither [ErrFull] nor [ErrSlow].
func Refusal(err error) *spb.Status {
	f := event.Failure{Text: err.Error()}
	switch {
	case errors.Is(err, ErrFull):
		f.Code, f.Reason = code.Code_RESOURCE_EXHAUSTED, event.ReasonOverload
	case errors.Is(err, ErrSlow):
		f.Code, f.Reason = code.Code_DEADLINE_EXCEEDED, event.ReasonDeadline
	default:
		return nil
	}
	return f.Status()
}
