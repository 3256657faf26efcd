package delivery

import (
	"math"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/clip"
	"krt.dev/kn-krt/pkg/runner/event"
)

// notes is what a delivery has done so far, for the request's record.
type notes struct {
	sync.Mutex // the delivery writes, and others read meanwhile
	steps      event.Steps
	attempts   *[]attempt // of the pool, once something has been sent
	begun      time.Time  // the first of them
	span       [8]byte    // theirs, but for its last byte; zero: they have none
	failures   []string   // why attempts have failed
}

// attempt is what is kept of a [record.Send] while the request is on its way. It is a
// fifth of its size: many requests may be on their way, each with many steps.
type attempt struct {
	begin, took time.Duration // since the first attempt began, and from then on
	number      uint16        // of the attempts to send to the node, counted from 1
	status      uint16        // of HTTP
	node        int8          // the index of the step; negative: a Sequence
	failure     uint8         // the index of why it failed, counted from 1; 0: it has not
	result      result
	shortcut    bool
}

// result is an index in results.
type result uint8

const (
	isOpen result = iota
	isOK
	isRetried
	gaveUp
)

var results = [...]record.Result{
	isOK: record.ResultOK, isRetried: record.ResultRetried, gaveUp: record.ResultGaveUp,
}

const (
	// maxAttempts bounds what is kept of one request: further attempts take the place of
	// the last one. A node that is busy may be tried for hours.
	maxAttempts = 128
	// maxPooled is for how many attempts room is kept from request to request.
	maxPooled = 32
	// maxFailure bounds the text of a failure, in bytes: it may quote what a node has sent.
	maxFailure = 512
)

// Steps is what the nodes that direct delivery has called have reported. Where a
// Sequence calls them, it is empty.
func (r *Request) Steps() event.Steps {
	r.notes.Lock()
	defer r.notes.Unlock()
	return r.notes.steps
}

// Sends appends to room what has been sent, one for each attempt that has ended, without
// the first ones of the number known. Nodes are the names of those of the workflow.
func (r *Request) Sends(room []record.Send, nodes []string, known int) []record.Send {
	return r.readSends(room, nodes, known, time.Time{}, isOpen)
}

// AllSends is Sends, with the attempt that has not ended at the time now, if there is one:
// accepted says that it has brought a response by another way, else the request has ended
// without one.
func (r *Request) AllSends(room []record.Send, nodes []string, now time.Time, accepted bool) []record.Send {
	if accepted {
		return r.readSends(room, nodes, 0, now, isOK)
	}
	return r.readSends(room, nodes, 0, now, gaveUp)
}

// readSends appends to room the attempts from the one with the index first on. One that
// has not ended has the result open, and is left out unless it began before now.
func (r *Request) readSends(room []record.Send, nodes []string, first int, now time.Time, open result) []record.Send {
	r.notes.Lock()
	defer r.notes.Unlock()
	if r.notes.attempts == nil {
		return room
	}
	for i, a := range (*r.notes.attempts)[first:] {
		send := record.Send{
			Begin: r.notes.begun.Add(a.begin), Attempt: int(a.number), Shortcut: a.shortcut, Status: int(a.status),
			Result: results[a.result], SpanID: r.notes.spanOf(first + i),
		}
		if send.End = send.Begin.Add(a.took); a.result == isOpen {
			if send.End, send.Result = now, results[open]; now.Before(send.Begin) {
				continue
			}
			if open == gaveUp {
				send.Error = "the request ended before there was a response"
			}
		}
		if a.node >= 0 && int(a.node) < len(nodes) {
			send.Node = nodes[a.node]
		}
		if a.failure > 0 {
			send.Error = r.notes.failures[a.failure-1]
		}
		room = append(room, send)
	}
	return room
}

// Forget gives the room of the attempts back. The delivery must have ended, and nobody may
// read them any more.
func (r *Request) Forget() {
	r.notes.Lock()
	defer r.notes.Unlock()
	if s := r.notes.attempts; s != nil && cap(*s) <= maxPooled {
		clear(*s)
		*s = (*s)[:0]
		r.Pool.Put(s)
	}
	r.notes.attempts, r.notes.failures = nil, nil
}

// report notes what node reported in its response, and returns what the event in it, if
// there is one, is to go on with.
func (r *Request) report(s event.Steps, node string) event.Steps {
	r.notes.Lock()
	defer r.notes.Unlock()
	r.notes.steps = r.notes.steps.Extend(s, node)
	return r.notes.steps
}

// reserve makes room for the first attempts at n steps, so that it need not grow.
func (r *Request) reserve(n int) {
	r.notes.Lock()
	defer r.notes.Unlock()
	if pooled, _ := r.Pool.Get().(*[]attempt); pooled != nil && cap(*pooled) >= n {
		r.notes.attempts = pooled
		return
	}
	made := make([]attempt, 0, n)
	r.notes.attempts = &made
}

// sending begins an attempt, counted from 1, to send an event to the step that is at work.
func (r *Request) sending(number int) (s send) {
	now := time.Now()
	r.notes.Lock()
	defer r.notes.Unlock()
	n := &r.notes
	if len(*n.attempts) == 0 {
		n.begun = now
		if r.Traced {
			n.span = event.NewSpan()
		}
	}
	if len(*n.attempts) < maxAttempts {
		*n.attempts = append(*n.attempts, attempt{})
	}
	last := len(*n.attempts) - 1
	(*n.attempts)[last] = attempt{
		begin: now.Sub(n.begun), number: uint16(min(number, math.MaxUint16)), node: int8(r.Step()),
	}
	return send{span: n.spanOf(last)}
}

// spanOf returns the span of the attempt with the index i: random but for its last byte,
// so that it need not be kept; zero without spans.
func (n *notes) spanOf(i int) (span [8]byte) {
	if n.span != [8]byte{} {
		span = n.span
		span[7] = byte(i + 1)
	}
	return span
}

// send is one attempt to send an event, as those who make it see it.
type send struct {
	span     [8]byte     // of the attempt; zero: it has none
	shortcut bool        // it went straight to the node's pod
	status   int         // of the response; 0: there was none
	steps    event.Steps // what the node reported in a response without an event
	// streaming is what the attempt needs where the rpc is a streaming one; nil: it is not.
	streaming *streaming
}

// sent notes that the attempt has ended with err, and whether there will be another.
func (r *Request) sent(s *send, err error, again bool) {
	r.notes.Lock()
	defer r.notes.Unlock()
	a := &(*r.notes.attempts)[len(*r.notes.attempts)-1]
	a.took = time.Since(r.notes.begun) - a.begin
	a.status, a.shortcut, a.result = uint16(s.status), s.shortcut, isOK
	if err != nil {
		a.failure, a.result = r.notes.fail(err.Error()), gaveUp
	}
	if again {
		a.result = isRetried
	}
}

// fail keeps why an attempt has failed, and returns its index, counted from 1. As of
// attempts, the last one is replaced if there are too many.
func (n *notes) fail(text string) (index uint8) {
	text = clip.Text(text, maxFailure)
	if len(n.failures) < maxAttempts {
		n.failures = append(n.failures, text)
	}
	n.failures[len(n.failures)-1] = text
	return uint8(len(n.failures))
}
