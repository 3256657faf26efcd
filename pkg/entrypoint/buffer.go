package entrypoint

import (
	"math/bits"
	"sync"

	"google.golang.org/grpc/mem"
)

// Payload buffers are pooled in powers of two from 2 KiB to 4 MiB, so that few
// are more than twice as large as what they hold; larger ones are not kept. gRPC
// gives buffers of up to 1 KiB back to no pool.
const (
	leastBufferBits = 11
	mostBufferBits  = 22
)

// bufferPool is a mem.BufferPool. Unlike gRPC's own it does not clear what it
// hands out, which for large payloads costs as much as all copying together:
// who gets a buffer here fills it whole. What is handed out is counted in the
// budget until it comes back.
type bufferPool struct {
	budget *budget
	tiers  [mostBufferBits - leastBufferBits + 1]sync.Pool
}

func newBufferPool(b *budget) *bufferPool {
	p := &bufferPool{budget: b}
	for i := range p.tiers {
		p.tiers[i].New = func() any {
			b := make([]byte, 1<<(leastBufferBits+i))
			return &b
		}
	}
	return p
}

// Get implements mem.BufferPool. The buffer holds what it held before.
func (p *bufferPool) Get(length int) *[]byte {
	tier := max(bits.Len(uint(max(length, 1)-1))-leastBufferBits, 0)
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
func (p *bufferPool) Put(b *[]byte) {
	size := cap(*b)
	p.budget.held.Add(-int64(size))
	tier := bits.Len(uint(size)) - 1 - leastBufferBits
	if size&(size-1) != 0 || tier < 0 || tier >= len(p.tiers) {
		return // not from a tier
	}
	*b = (*b)[:size]
	p.tiers[tier].Put(b)
}

// keep copies data of a request into a buffer. The error is errBudget.
func (p *bufferPool) keep(data []byte) (mem.Buffer, error) {
	n := int64(len(data))
	if !p.budget.take(n) {
		return nil, errBudget
	}
	defer p.budget.held.Add(-n) // the buffer is counted for itself
	return mem.Copy(data, p), nil
}
