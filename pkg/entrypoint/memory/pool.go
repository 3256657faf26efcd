package memory

import (
	"fmt"
	"io"
	"math/bits"
	"sync"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Payload buffers are pooled in powers of two from 2 KiB to 4 MiB, so that few
// are more than twice as large as what they hold; larger ones are not kept. gRPC
// gives buffers of up to 1 KiB back to no pool.
const (
	leastBufferBits = 11
	mostBufferBits  = 22
)

// Pool is a mem.BufferPool. Unlike gRPC's own it does not clear what it hands
// out, which for large payloads costs as much as all copying together: whoever
// gets a buffer here fills it whole. What is handed out is counted in the budget
// until it comes back.
type Pool struct {
	budget *Budget
	tiers  [mostBufferBits - leastBufferBits + 1]sync.Pool
}

// NewPool returns a pool whose buffers are counted in b.
func NewPool(b *Budget) *Pool {
	p := &Pool{budget: b}
	for i := range p.tiers {
		p.tiers[i].New = func() any {
			b := make([]byte, 1<<(leastBufferBits+i))
			return &b
		}
	}
	return p
}

// NewUncountedPool returns a pool for bytes that are counted elsewhere.
func NewUncountedPool() *Pool { return NewPool(&Budget{}) }

// tierOf is the tier of a buffer for length bytes.
func tierOf(length int) int { return max(bits.Len(uint(max(length, 1)-1))-leastBufferBits, 0) }

// BufferBytes is the size of the buffer that a [Pool] has for length bytes.
func BufferBytes(length int) int64 {
	if tier := tierOf(length); tier <= mostBufferBits-leastBufferBits {
		return 1 << (leastBufferBits + tier)
	}
	return int64(length)
}

// Get implements mem.BufferPool. The buffer holds what it held before.
func (p *Pool) Get(length int) *[]byte {
	tier := tierOf(length)
	if tier >= len(p.tiers) {
		p.budget.held.Add(int64(length))
		b := make([]byte, length)
		return &b
	}
	p.budget.held.Add(1 << (leastBufferBits + tier))
	b := p.tiers[tier].Get().(*[]byte)
	*b = (*b)[:length]
	return b
}

// Put implements mem.BufferPool.
func (p *Pool) Put(b *[]byte) {
	size := cap(*b)
	p.budget.Release(int64(size))
	tier := bits.Len(uint(size)) - 1 - leastBufferBits
	if size&(size-1) != 0 || tier < 0 || tier >= len(p.tiers) {
		return // not from a tier
	}
	*b = (*b)[:size]
	p.tiers[tier].Put(b)
}

// Hold counts n bytes of a request that are not in one of the pool's buffers, and reports whether there was
// room for them. They are given back by Let.
func (p *Pool) Hold(n int64) bool { return p.budget.Reserve(n) }

// Keep counts n bytes that are held whether there is room for them or not. They are given back by Let.
func (p *Pool) Keep(n int64) { p.budget.Add(n) }

// Let gives n bytes back.
func (p *Pool) Let(n int64) { p.budget.Release(n) }

// CopyRequest copies data of a request into a buffer. The error is [ErrFull].
func (p *Pool) CopyRequest(data []byte) (mem.Buffer, error) {
	n := int64(len(data))
	if !p.budget.Reserve(n) {
		return nil, ErrFull
	}
	defer p.budget.Release(n) // the buffer is counted for itself
	return mem.Copy(data, p), nil
}

// CopyResponse copies data of a response into a buffer. The error is [ErrFull].
func (p *Pool) CopyResponse(data []byte) (mem.Buffer, error) {
	if !p.budget.HasRoom(int64(len(data))) {
		return nil, ErrFull
	}
	b := p.Get(len(data))
	copy(*b, data)
	return mem.NewBuffer(b, p), nil
}

// Read reads data of at most limit bytes into a buffer; length is negative when
// it is not known beforehand. The error is event.ErrTooLarge for more than
// limit, [ErrFull] if there is no room, or the reader's.
func (p *Pool) Read(r io.Reader, length, limit int64) (mem.Buffer, error) {
	if length > limit {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", event.ErrTooLarge, length, limit)
	}
	if !p.budget.HasRoom(max(length, 0)) {
		return nil, ErrFull
	}
	if length >= 0 {
		raw := p.Get(int(length))
		if _, err := io.ReadFull(r, *raw); err != nil {
			p.Put(raw)
			return nil, err
		}
		return mem.NewBuffer(raw, p), nil
	}
	slices, err := mem.ReadAll(io.LimitReader(&roomyReader{r, p.budget}, limit+1), p)
	if err != nil {
		slices.Free()
		return nil, err
	}
	defer slices.Free()
	if int64(slices.Len()) > limit {
		return nil, fmt.Errorf("%w: the limit is %d bytes", event.ErrTooLarge, limit)
	}
	return slices.MaterializeToBuffer(p), nil
}

// roomyReader reads while the budget has room for what is read next.
type roomyReader struct {
	io.Reader
	budget *Budget
}

// Read implements io.Reader.
func (r *roomyReader) Read(p []byte) (int, error) {
	if !r.budget.HasRoom(int64(len(p))) {
		return 0, ErrFull
	}
	return r.Reader.Read(p)
}
