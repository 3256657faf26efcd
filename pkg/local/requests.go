package local

import (
	"fmt"
	"sync/atomic"

	"krt.dev/kn-krt/pkg/entrypoint/record"
)

// observe makes what gets the records of requests; the function it returns ends that, when
// no more come.
func (r *run) observe() func() {
	if !r.o.Requests {
		return func() {}
	}
	listed := newRequests(r.o.Reporter)
	r.observers = append(r.observers, listed)
	return listed.close
}

// maxUnreported limits the records that wait to be reported.
const maxUnreported = 1024

// requests reports the records of requests, on a goroutine of its own: no request waits
// for the Reporter. Records that find no room are counted, and their number is reported.
type requests struct {
	to      Reporter
	waiting chan *record.Record
	lost    atomic.Int64
	over    chan struct{}
	ended   chan struct{}
}

func newRequests(to Reporter) *requests {
	r := &requests{
		to: to, waiting: make(chan *record.Record, maxUnreported), over: make(chan struct{}), ended: make(chan struct{}),
	}
	go r.report()
	return r
}

// Observe is the entrypoint's call for each request.
func (r *requests) Observe(seen *record.Record) {
	select {
	case r.waiting <- seen.Clone():
	default:
		r.lost.Add(1)
	}
}

func (r *requests) report() {
	defer close(r.ended)
	for {
		select {
		case seen := <-r.waiting:
			r.one(seen)
		case <-r.over:
			for len(r.waiting) > 0 {
				r.one(<-r.waiting)
			}
			return
		}
	}
}

// one reports a record, and how many have been lost since the last one.
func (r *requests) one(seen *record.Record) {
	r.to.Event(Event{Type: EventRequest, Request: seen})
	if lost := r.lost.Swap(0); lost > 0 {
		r.to.Event(Event{Type: EventWarning, Text: fmt.Sprintf("%d more requests are not listed: they came faster than lines are printed", lost)})
	}
}

// close reports what waits, and ends.
func (r *requests) close() {
	close(r.over)
	<-r.ended
}
