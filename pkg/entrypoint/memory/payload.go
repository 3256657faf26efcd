package memory

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// Payload is the data of an event that is sent, and perhaps sent again, until it
// is settled that it is not sent any more. It is freed once it has been sent
// whole and is settled.
type Payload struct {
	budget        *Budget
	mu            sync.Mutex
	data          mem.Buffer // nil once it is freed
	sent, settled bool
	apart         int64 // counted as held for work that nobody waits for
}

// Payload returns data as a payload, which takes it over.
func (p *Pool) Payload(data mem.Buffer) *Payload { return &Payload{budget: p.budget, data: data} }

// Detach notes that nobody waits for the work any more. It settles what is above
// the share of such work: that loses its retries, and clients lose no room.
func (p *Payload) Detach() {
	p.update(func() {
		if p.data == nil || p.apart > 0 {
			return
		}
		p.apart = int64(p.data.Len())
		if p.budget.apart.Add(p.apart) > p.budget.requests/2 {
			p.settled = true
		}
	})
}

// Sent notes that all of it has been sent.
func (p *Payload) Sent() { p.update(func() { p.sent = true }) }

// Settle notes that once it has been sent whole it is not sent again.
func (p *Payload) Settle() { p.update(func() { p.settled = true }) }

// Resend notes that it is to be sent again, and reports whether it still can be.
func (p *Payload) Resend() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = false
	return p.data != nil
}

// Take returns the data, which is not the payload's any more; nil if it has been freed.
func (p *Payload) Take() (data mem.Buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if data = p.data; data != nil {
		p.data = nil
		p.budget.apart.Add(-p.apart)
	}
	return data
}

// Free frees it, whatever was noted, unless it has been.
func (p *Payload) Free() { p.update(func() { p.sent, p.settled = true, true }) }

func (p *Payload) update(note func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if note(); p.sent && p.settled && p.data != nil {
		p.data.Free()
		p.data = nil
		p.budget.apart.Add(-p.apart)
	}
}
