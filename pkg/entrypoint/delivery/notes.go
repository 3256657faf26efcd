package delivery

import (
	"slices"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// notes is what a delivery has done so far, for the request's record.
type notes struct {
	sync.Mutex // the delivery writes, and others read meanwhile
	steps      event.Steps
	sends      *[]record.Send // of the pool, once something has been sent
	open       record.Send    // the attempt that has not ended; without one, its Attempt is 0
}

// Steps is what the nodes that direct delivery has called have reported. Where a
// Sequence calls them, it is empty.
func (r *Request) Steps() event.Steps {
	r.notes.Lock()
	defer r.notes.Unlock()
	return r.notes.steps
}

// Sends is what has been sent, one for each attempt that has ended. What it returns
// does not change any more.
func (r *Request) Sends() []record.Send {
	r.notes.Lock()
	defer r.notes.Unlock()
	if r.notes.sends == nil {
		return nil
	}
	return *r.notes.sends
}

// AllSends is what Sends returns and, at its end, the attempt that has not ended at the
// time now, if there is one.
func (r *Request) AllSends(now time.Time) (sends []record.Send) {
	r.notes.Lock()
	defer r.notes.Unlock()
	if r.notes.sends != nil {
		sends = *r.notes.sends
	}
	open := r.notes.open
	if open.Attempt == 0 || open.Begin.After(now) {
		return sends
	}
	open.End, open.Result = now, record.ResultOpen
	return append(slices.Clip(sends), open) // the delivery appends to its own
}

// maxPooled is how many sends are kept room for: those of most workflows, with a retry
// or two.
const maxPooled = 16

// Forget gives the room of the sends back. The delivery must have ended, and nobody may
// read them any more.
func (r *Request) Forget() {
	r.notes.Lock()
	defer r.notes.Unlock()
	if s := r.notes.sends; s != nil && cap(*s) <= maxPooled {
		clear(*s)
		*s = (*s)[:0]
		r.Pool.Put(s)
	}
	r.notes.sends = nil
}

// report notes what node reported in the event that it responded with, and sets on
// that event what it is to go on with.
func (r *Request) report(e *event.Event, node string) {
	r.notes.Lock()
	defer r.notes.Unlock()
	r.notes.steps = r.notes.steps.Extend(e.Steps, node)
	e.Steps = r.notes.steps
}

// sending begins an attempt, counted from 1, to send an event to node.
func (r *Request) sending(node string, attempt int) record.Send {
	s := record.Send{Node: node, Attempt: attempt, Begin: time.Now()}
	if r.Traced {
		s.SpanID = event.NewSpan()
	}
	r.notes.Lock()
	defer r.notes.Unlock()
	r.notes.open = s
	return s
}

// sent notes that an attempt has ended with err, and whether there will be another.
func (r *Request) sent(s record.Send, err error, again bool) {
	s.End, s.Result = time.Now(), record.ResultOK
	if err != nil {
		s.Result, s.Error = record.ResultGaveUp, err.Error()
	}
	if again {
		s.Result = record.ResultRetried
	}
	r.notes.Lock()
	defer r.notes.Unlock()
	r.notes.open = record.Send{}
	if r.notes.sends == nil {
		if r.notes.sends, _ = r.Pool.Get().(*[]record.Send); r.notes.sends == nil {
			r.notes.sends = &[]record.Send{}
		}
	}
	*r.notes.sends = append(*r.notes.sends, s)
}
