package entrypoint

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Delivery carries events through one workflow's nodes.
type Delivery interface {
	// Deliver carries first through the workflow, takes over its data, and keeps
	// progress where it is. It returns the event of the last step; nil when the
	// chain ended without one, so that the answer has come or will come at the
	// reply port; or an error, which is an *event.Failure where the caller should
	// see its text as it is. It returns soon after ctx is done.
	Deliver(ctx context.Context, first *Parcel, progress *Progress) (last *Parcel, err error)
}

// Parcel is an event and the buffer that holds its data; Event.Data is unused.
// Buffers are counted and pooled: a payload passes through a workflow without
// being allocated at each step.
type Parcel struct {
	Event *event.Event
	Data  mem.Buffer
	sent  func() // called each time all of it has been sent; may be nil
}

// Progress is what a delivery and its request know of each other while the
// delivery is at work.
type Progress struct {
	step     atomic.Int32
	deadline atomic.Int64 // Unix time in ns
	detached atomic.Bool
	refused  atomic.Bool // the step has not taken the event: it is busy
	reply    atomic.Pointer[func()]
}

func (p *Progress) begin(deadline time.Time, detached bool) {
	p.step.Store(-1)
	p.deadline.Store(deadline.UnixNano())
	p.detached.Store(detached)
}

// reach notes which step, by its index, is at work from now on.
func (p *Progress) reach(step int) { p.step.Store(int32(step)) }

// doing is what the step at work is doing.
func (p *Progress) doing() string {
	if p.refused.Load() {
		return "was too busy to take the event"
	}
	return "was at work"
}

// at is the index of the step at work, negative where nobody knows.
func (p *Progress) at() int { return int(p.step.Load()) }

// goOn notes that the caller has been answered, and until when the rest may go on.
func (p *Progress) goOn(deadline time.Time) {
	p.deadline.Store(deadline.UnixNano())
	p.detached.Store(true)
}

// onReply has f called for each answer that comes at the reply port.
func (p *Progress) onReply(f func()) { p.reply.Store(&f) }

// came notes that an answer has come at the reply port.
func (p *Progress) came() {
	if f := p.reply.Load(); f != nil {
		(*f)()
	}
}

// replied reports whether no caller waits any more.
func (p *Progress) replied() bool { return p.detached.Load() }

// until is when the work must have ended.
func (p *Progress) until() time.Time { return time.Unix(0, p.deadline.Load()) }

// stamp says on e what holds now. It is done each time e is sent.
func (p *Progress) stamp(e *event.Event) { e.Replied, e.Deadline = p.replied(), p.until() }
