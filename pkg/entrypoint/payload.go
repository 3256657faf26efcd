package entrypoint

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// payload is the data of an event that is sent until somebody takes it. It is freed
// once it has been sent whole and is settled: it will not be sent again.
type payload struct {
	budget        *budget
	mu            sync.Mutex
	data          mem.Buffer // nil once it is freed
	sent, settled bool
	apart         int64 // counted as held for work that nobody waits for
}

// hold takes over p's data, and returns p as it is to be sent.
func (x *exchange) hold(p *Parcel) (*payload, *Parcel) {
	held, outgoing := &payload{budget: x.buffers.budget, data: p.Data}, *p
	outgoing.sent = func() {
		if p.sent != nil {
			p.sent()
		}
		held.wasSent()
	}
	return held, &outgoing
}

// detach tells that nobody waits for the work any more. It settles what is above
// the share of such work: that loses its retries, and callers lose no room.
func (p *payload) detach() {
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

// wasSent tells that all of it has been sent.
func (p *payload) wasSent() { p.update(func() { p.sent = true }) }

// settle tells that it is not sent once more after it has been sent whole.
func (p *payload) settle() { p.update(func() { p.settled = true }) }

// again tells that it is to be sent once more, and reports whether it still can be.
func (p *payload) again() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = false
	return p.data != nil
}

// free frees it, whatever was told, unless it has been.
func (p *payload) free() { p.update(func() { p.sent, p.settled = true, true }) }

func (p *payload) update(note func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if note(); p.sent && p.settled && p.data != nil {
		p.data.Free()
		p.data = nil
		p.budget.apart.Add(-p.apart)
	}
}
