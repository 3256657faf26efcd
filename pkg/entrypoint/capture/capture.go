// Package capture keeps the last requests of an entrypoint for people to look at: the
// record of each and, of requests that are inspected, their messages.
//
// Everything is bounded: [inspection.MaxRequests] records, and 16 MiB of messages, of which
// the oldest are dropped first. Values that must not be kept are removed before a message is
// kept; other messages are kept as they are, and decoded when somebody reads them.
package capture

import (
	"bytes"
	"container/list"
	"math/rand/v2"
	"sync"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/inspection"
)

const (
	// maxBytes bounds the kept messages of all requests together.
	maxBytes = 16 << 20
	// overhead is what a kept message takes besides its data, in bytes.
	overhead = 256
	// maxSends is how many attempts of a request are kept.
	maxSends = 64
	// maxReaders bounds the clients that follow requests.
	maxReaders = 16
	// maxShows bounds the requests that are shown with their messages at a time: decoded, and
	// as JSON, these take many times the bytes that are kept.
	maxShows = 2
	// maxAwaited bounds the requests with messages whose record has been replaced, while that of the work behind
	// it is to follow. Of a queue's, another replica may have it, and then none follows here.
	maxAwaited = 4096
)

// Capture keeps requests. It is a [record.Observer]; use [New].
type Capture struct {
	mu    sync.Mutex
	slots [inspection.MaxRequests]slot
	next  uint64 // number of the next record; it goes into slots[next%MaxRequests]

	readers map[chan struct{}]struct{} // woken by each record

	shows chan struct{} // has one for each request that is being shown

	requests map[string]*Request // inspected, by id
	awaited  []string            // ids of requests of which only a further record was to come; some have it
	oldest   list.List           // of *entry, the oldest message first
	used     int                 // bytes of the messages
	most     int

	differences []*difference // the oldest first
	differing   int           // bytes of their requests
}

// slot is a record that is kept. Its slices are used again for the next one.
type slot struct {
	record.Record
	inspected bool
}

// New returns a Capture that has no requests yet.
func New() *Capture {
	return &Capture{
		readers: map[chan struct{}]struct{}{}, shows: make(chan struct{}, maxShows), requests: map[string]*Request{}, most: maxBytes,
	}
}

// Observe implements record.Observer: it keeps a copy of r in the place of the oldest.
func (c *Capture) Observe(r *record.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.slots[c.next%inspection.MaxRequests]
	if s.inspected {
		c.replace(s)
	}
	steps, sends := s.Steps[:0], s.Sends[:0]
	if cap(sends) > maxSends { // of a request that waited long for a busy node
		sends = nil
	}
	clear(s.Sends)
	s.Record = *r
	s.Steps = append(steps, r.Steps...)
	s.Sends = append(sends, r.Sends[max(0, len(r.Sends)-maxSends):]...)
	s.inspected = len(c.requests) > 0 && c.requests[r.ID] != nil
	c.next++
	for reader := range c.readers {
		select {
		case reader <- struct{}{}:
		default: // it has not seen the one before yet
		}
	}
}

// replace forgets the messages of a record whose place another one gets, unless the record that follows has
// them. The caller has locked c.mu.
func (c *Capture) replace(s *slot) {
	if !s.Continued {
		c.forget(s.ID)
		return
	}
	if c.requests[s.ID] == nil {
		return
	}
	if c.awaited = append(c.awaited, s.ID); len(c.awaited) <= maxAwaited {
		return
	}
	first := c.awaited[0]
	c.awaited = c.awaited[1:]
	for i := range c.slots {
		if c.slots[i].inspected && c.slots[i].ID == first { // it has come
			return
		}
	}
	c.forget(first)
}

// Asked is the value of the metadata, or the header, by which a client asks for its request
// to be inspected.
const Asked = "1"

// Wants reports whether a request is to be inspected: because its client asked for it, or as
// one of the share. c is nil of a version whose messages are never kept.
func (c *Contract) Wants(asked bool) bool {
	return c != nil && (asked || c.share > 0 && rand.IntN(100) < c.share)
}

// Request is a request whose messages are kept. Its methods may be called at any time, also
// when the request has ended. They copy what they are given.
type Request struct {
	capture  *Capture
	contract *Contract
	id       string
	nodes    []string

	// Guarded by capture.mu.
	forgotten     bool
	input, output *entry
	steps         []*entry // what each of nodes responded with
}

// entry is a message that is kept.
type entry struct {
	*message
	place *list.Element // nil if its data was dropped
}

func (e *entry) size() int { return len(e.data) + len(e.name) + overhead }

// Begin keeps the messages of a request from now on. nodes are those of its workflow.
func (c *Capture) Begin(contract *Contract, id string, nodes []string) *Request {
	r := &Request{capture: c, contract: contract, id: id, nodes: nodes, steps: make([]*entry, len(nodes))}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[id] = r
	return r
}

// Find returns the request of an id if its messages are kept, else nil.
func (c *Capture) Find(id string) *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[id]
}

// Contract returns the contract of the request's version.
func (r *Request) Contract() *Contract { return r.contract }

// Input keeps the message that the client sent.
func (r *Request) Input(name string, data []byte) {
	r.put(&r.input, r.contract.keep(name, data, len(data)))
}

// Output keeps the response that the client gets, of a stream in the place of the message before.
func (r *Request) Output(name string, data []byte) {
	m := r.last(name, data)
	if m == nil {
		m = r.contract.keep(name, data, len(data))
	}
	r.put(&r.output, m)
}

// last returns what is kept of the last node's message if that is the response, as it usually is; else nil.
func (r *Request) last(name string, data []byte) *message {
	if len(r.steps) == 0 {
		return nil
	}
	r.capture.mu.Lock()
	defer r.capture.mu.Unlock()
	e := r.steps[len(r.steps)-1]
	if e == nil || e.place == nil || e.json || e.cut || e.name != name || !bytes.Equal(e.data, data) {
		return nil
	}
	return e.message
}

// Step keeps what the node of a step, by its index, responded with. Of a message that was cut,
// data is the beginning of size bytes.
func (r *Request) Step(i int, name string, data []byte, size int) {
	if i >= 0 && i < len(r.steps) {
		r.put(&r.steps[i], r.contract.keep(name, data, max(size, len(data))))
	}
}

// Node returns the index of the step of that node, -1 if the workflow does not have it.
func (r *Request) Node(name string) int {
	for i, node := range r.nodes {
		if node == name {
			return i
		}
	}
	return -1
}

// put keeps m, in the place of what was kept there, and drops the oldest messages that are
// too much then.
func (r *Request) put(to **entry, m *message) {
	c := r.capture
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.forgotten {
		return
	}
	c.drop(*to)
	e := &entry{message: m}
	e.place = c.oldest.PushBack(e)
	*to = e
	for c.used += e.size(); c.used > c.most; {
		old := c.oldest.Front().Value.(*entry)
		c.drop(old)
		old.message = &message{name: old.name, size: old.message.size, note: "dropped to make room for newer ones"}
	}
}

// drop forgets the data of a message. The caller has locked c.mu.
func (c *Capture) drop(e *entry) {
	if e == nil || e.place == nil {
		return
	}
	c.used -= e.size()
	c.oldest.Remove(e.place)
	e.place = nil
}

// forget forgets the messages of a request, and does not keep any that come later. The
// caller has locked c.mu.
func (c *Capture) forget(id string) {
	r := c.requests[id]
	if r == nil {
		return
	}
	delete(c.requests, id)
	r.forgotten = true
	for _, e := range append(r.steps, r.input, r.output) {
		c.drop(e)
	}
}
