package local

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"sync/atomic"

	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/measure"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/telemetry"
)

// observe makes what gets the records of requests. The function it returns ends that; no
// more of them may come by then.
func (r *run) observe() (end func(), err error) {
	client, err := store.New(r.place.storeURL)
	if err != nil {
		return nil, err
	}
	r.serving.Mail = mail.New(letter.New(client), r.logger())
	ends := []func(){func() { r.serving.Mail.Close(stopTime) }}
	if r.o.Measurements != measure.Off {
		measurer := measure.New(cmp.Or(r.o.Measurements, measure.Aggregated), client, r.logger())
		r.serving.Observers, ends = append(r.serving.Observers, measurer), append(ends, func() { measurer.Close(stopTime) })
	}
	if r.o.Requests {
		listed := newRequests(r.o.Reporter)
		r.serving.Observers, ends = append(r.serving.Observers, listed), append(ends, listed.close)
	}
	traces, err := telemetry.FromEnvironment(telemetry.Process{Namespace: Namespace, Instance: rand.Text()}, r.logger())
	if err != nil { // the environment is not ours: it may be meant for other programs
		r.o.Reporter.Event(Event{Type: EventWarning, Text: "traces are not recorded: " + err.Error()})
	}
	if traces != nil {
		traces.AddTo(&r.serving)
		r.traces = traces.Endpoint()
		ends = append(ends, func() { traces.Close(stopTime) })
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}, nil
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
