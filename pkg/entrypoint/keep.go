package entrypoint

import (
	"net/http"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/failure"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/entrypoint/metrics"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/runner/event"
)

// origin is whose letters those of the route are.
func (t *table) origin(r *route) mail.Origin {
	return mail.Origin{Version: t.version.Name, Workflow: r.Name, Nodes: r.nodes}
}

// keep sets what of the request is kept if no client waits for it. Of a copy nothing is: another
// version has served it.
func (r *request) keep() {
	first := r.First.Event
	switch {
	case r.entry.options.Mail == nil || first.Mirror, r.route.queued: // whoever carries a queued event keeps its letters
		return
	case r.replayed != nil:
		r.replayed.Prepare(first)
	case r.async && r.table.version.Results > 0:
		first.Keep = event.KeepResult
	default:
		first.Keep = event.KeepDead
	}
	r.Bury = true
}

// keepsResult reports whether the response to r, which is asynchronous, is kept: its client has been told that
// the work will be done, and can fetch it.
func (r *request) keepsResult() bool {
	return r.First.Event.Keep == event.KeepResult && r.table.version.Results > 0 && (r.IsAccepted() || r.replayed != nil)
}

// keepResult keeps the response to an asynchronous request, if it is to be kept.
func (r *request) keepResult(out response) {
	if r.goesOn {
		return
	}
	if out.failure != nil {
		r.replayed.Stay()
		// Direct delivery that still runs will say itself what it gives up on.
		if r.async && (r.route.Address != "" || r.work.Err() == nil || r.ended.Load() > 0) {
			r.bury(out.failure, nil)
		}
	}
	if !r.async || !r.keepsResult() || out.data == nil && out.failure == nil {
		r.replayed.Settle()
		return
	}
	var data []byte
	free := func() {}
	if out.data != nil {
		out.data.Ref()
		data, free = out.data.ReadOnlyData(), out.data.Free
	}
	first := r.First.Event
	l := letter.Letter{ID: first.CorrelationID, CausationID: first.CausationID, Message: r.route.want, Data: data}
	l = r.table.origin(r.route).Result(l, out.failure, r.table.version.Results)
	r.entry.options.Mail.Keep(l, free, r.replayed.Kept)
}

// bury keeps a dead letter of r, which has failed, if no client waits and there is none yet: dead, the event
// that direct delivery has given up on, or nil. Behind a Sequence the nodes have it, and theirs comes by
// itself (see receiveDeadLetter), if their runners know dead letters.
func (r *request) bury(failed *spb.Status, dead *delivery.Parcel) {
	if !r.Bury || !r.Detached() || r.async && !r.IsAccepted() && r.replayed == nil || dead == nil && r.buried.Load() {
		if dead != nil && dead.Data != nil {
			dead.Data.Free()
		}
		return
	}
	first := r.First.Event
	ev, data := &event.Event{CorrelationID: first.CorrelationID, CausationID: first.CausationID, Keep: first.Keep}, mem.Buffer(nil)
	if dead != nil {
		if ev, data = dead.Event, dead.Data; data == nil {
			lost := *ev
			lost.Message, ev = "", &lost
		}
	}
	_, node := failure.Reason(failed)
	r.entry.metrics.DeadLetter(r.route.Name, node)
	r.keepDead(ev, r.Step(), node, failed, data)
}

// keepDead keeps an event of r that was given up on. It takes over its data, which may be nil.
func (r *request) keepDead(ev *event.Event, step int, node string, failed *spb.Status, data mem.Buffer) {
	r.buried.Store(true)
	var bytes []byte
	var free func()
	if data != nil {
		bytes, free = data.ReadOnlyData(), data.Free
	}
	l := r.table.origin(r.route).Dead(ev, step, node, failed, bytes)
	then := r.replayed.Failed(&l)
	r.entry.options.Mail.Keep(l, free, then)
}

// keeps reports whether something is kept of an event at the reply port, whatever became of its request.
func (e *Entrypoint) keeps(ev *event.Event) bool {
	return e.options.Mail != nil && ev.Keep != event.KeepNothing && ev.Replied
}

// readDead reads the data of a dead letter. One that cannot be kept has none, and then no message. The
// error is that the connection broke.
func (e *Entrypoint) readDead(r *http.Request, ev *event.Event) (*event.Event, mem.Buffer, error) {
	data, err := e.buffers.Read(r.Body, r.ContentLength, int64(e.options.MaxMessageBytes))
	if failure.Final(err) {
		lost := *ev
		lost.Message = ""
		return &lost, nil, nil
	}
	return ev, data, err
}

// orphan keeps what an event at the reply port says of a request that no replica holds any more: the one
// that held it was restarted, or has been lost. It takes over the data, and returns the HTTP status to respond
// with; 0 if there was nothing to keep.
func (e *Entrypoint) orphan(h http.Header, path string, ev *event.Event, data mem.Buffer) (status int) {
	t := e.acquire()
	if t == nil && e.keeps(ev) && (path == pathDeadLetter || ev.Keep == event.KeepResult) {
		status = http.StatusServiceUnavailable // this replica has stopped; the sender will try another one
	}
	if t != nil {
		defer t.release()
		if r := t.byName[ev.Workflow]; r != nil && e.keeps(ev) {
			o := t.origin(r)
			l, ok := o.Late(ev, r.want, data.ReadOnlyData(), t.version.Results)
			if path == pathDeadLetter {
				failed, node := failure.Of{Version: o.Version, Workflow: o.Workflow}.Dead(h, r.Steps)
				e.metrics.DeadLetter(r.Name, node)
				l, ok = o.Dead(ev, -1, node, failed, data.ReadOnlyData()), true
			}
			if ok {
				e.options.Mail.KeepLate(l, data.Free)
				return http.StatusAccepted
			}
		}
	}
	data.Free()
	return status
}

// receiveOrphan is orphan for an event that has not been read. It returns the HTTP status to respond with.
func (e *Entrypoint) receiveOrphan(r *http.Request, ev *event.Event) int {
	if !e.keeps(ev) {
		return e.drop(metrics.DropLate, nil)
	}
	ev, data, err := e.readDead(r, ev)
	if err != nil {
		return e.drop(metrics.DropUnreadable, err)
	}
	if data == nil {
		data = mem.SliceBuffer(nil)
	}
	if status := e.orphan(r.Header, r.URL.Path, ev, data); status != 0 {
		return status
	}
	return e.drop(metrics.DropLate, nil)
}
