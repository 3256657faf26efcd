// Package stream holds the messages of a streaming rpc on their way from nodes to the client.
//
// Nodes send by parts, one at a time: a [Part] is what one node sends for one event. The
// client's goroutine takes messages out by [Stream.Next]. Between the two only so much is
// held, counted until the client has it: a client that does not read stops the node.
package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/mem"
)

// A stream holds at most this much that the client does not have yet, and always one message.
const (
	mostMessages = 64
	mostBytes    = 256 << 10
	// mostParts bounds the parts of a stream that have sent messages: a workflow has fewer nodes.
	mostParts = 256
)

var (
	// ErrTaken refuses a part whose node has sent messages for the same event already, or
	// while another part is open.
	ErrTaken = errors.New("another delivery of the event sends the stream's messages")
	// ErrOver refuses messages of a stream that has ended, or whose client has gone.
	ErrOver = errors.New("the stream is over")
	// ErrTooMany ends a stream with more messages than it may have.
	ErrTooMany = errors.New("the stream has more messages than it may have")
	// ErrIdle says that the node that sends has sent no message for too long.
	ErrIdle = errors.New("no message has come for too long")
)

// Limits bound a stream.
type Limits struct {
	// Messages is how many messages nodes may send; 0 means any number.
	Messages int
	// Idle is how long a node that has sent messages may take for its next one; 0 means any time.
	Idle time.Duration
}

// Stream is the stream of one request. Its end may come from anywhere, and the first one wins.
type Stream struct {
	message string
	limits  Limits

	over chan struct{} // closed when no message is accepted any more
	news chan struct{} // one slot: there may be something for Next
	room chan struct{} // one slot: there may be room for a message
	idle *time.Timer   // of Next

	mu      sync.Mutex
	queue   []mem.Buffer // from first on
	first   int
	held    int   // messages that the client does not have yet, queued or being sent
	bytes   int64 // their buffers
	came    int   // messages of nodes
	ended   bool
	gone    bool // the client
	waiting bool // for room
	open    *Part
	sent    map[string]struct{} // the keys of parts that have sent messages
	counts  Counts
}

// Counts is what the client has been given of a stream.
type Counts struct {
	// Messages is the number of messages, Bytes that of their data.
	Messages int
	Bytes    int64
	// First is when the first message was there; zero if there was none.
	First time.Time
}

// New returns a stream of messages of the type with the given full name.
func New(message string, l Limits) *Stream {
	return &Stream{
		message: message, limits: l,
		over: make(chan struct{}), news: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
}

// Message is the full name of the type of the stream's messages.
func (s *Stream) Message() string { return s.message }

// Idle is how long a node that has sent messages may take for its next one.
func (s *Stream) Idle() time.Duration { return s.limits.Idle }

// Counts is what the client has been given so far.
func (s *Stream) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// End ends the stream, unless it has ended or its client has gone: last, if it is not nil, is its
// last message. It never waits: there is always room for that one. It takes last over, and
// reports whether it was the first.
func (s *Stream) End(last mem.Buffer) bool {
	s.mu.Lock()
	if s.ended || s.gone {
		s.mu.Unlock()
		if last != nil {
			last.Free()
		}
		return false
	}
	if last != nil {
		s.push(last)
	}
	s.ended = true
	close(s.over)
	s.mu.Unlock()
	signal(s.news)
	return true
}

// Abandon frees what is queued: the client has gone. Whoever sends gets [ErrOver].
func (s *Stream) Abandon() {
	s.mu.Lock()
	left := s.queue[s.first:]
	if s.queue, s.first = nil, 0; !s.ended && !s.gone {
		close(s.over)
	}
	s.gone = true
	s.mu.Unlock()
	for _, data := range left {
		data.Free()
	}
}

// Next returns the stream's next message, which must be freed: that makes room for more. The
// error is io.EOF after the last message, [ErrIdle], or why until or work, contexts, has ended;
// messages that are queued, and the end, come before that.
func (s *Stream) Next(until, work context.Context) (mem.Buffer, error) {
	for {
		data, idle, err := s.pop()
		if data != nil || err != nil {
			return data, err
		}
		if err = s.wait(until, work, idle); err == nil {
			continue
		}
		if data, _, ended := s.pop(); data != nil || ended != nil { // it has come at the same instant
			return data, ended
		}
		return nil, err
	}
}

// wait waits until there may be a message or the end. The error is ErrIdle if it may take only so
// long, or why one of the contexts has ended.
func (s *Stream) wait(until, work context.Context, idle bool) error {
	var late <-chan time.Time
	if idle {
		late = s.startIdle()
	}
	select {
	case <-s.news:
	case <-late:
		if s.isIdle() {
			return ErrIdle
		}
	case <-until.Done():
		return context.Cause(until)
	case <-work.Done():
		return context.Cause(work)
	}
	return nil
}

// startIdle starts the time in which a message must come.
func (s *Stream) startIdle() <-chan time.Time {
	if s.idle == nil {
		s.idle = time.NewTimer(s.limits.Idle)
	} else {
		s.idle.Reset(s.limits.Idle)
	}
	return s.idle.C
}

// isIdle reports whether a node has nothing to send, rather than waits for the client to read. Between
// two nodes there may be a wait for a pod or a worker.
func (s *Stream) isIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open != nil && !s.waiting && s.first == len(s.queue) && !s.ended
}

// pop returns the first message of the queue, or io.EOF after the last one. Else idle says
// whether the time in which one must come runs.
func (s *Stream) pop() (data mem.Buffer, idle bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == len(s.queue) {
		if s.ended {
			return nil, false, io.EOF
		}
		return nil, s.limits.Idle > 0 && s.counts.Messages > 0 && s.open != nil, nil
	}
	data, s.queue[s.first] = s.queue[s.first], nil
	if s.first++; s.first == len(s.queue) {
		s.queue, s.first = s.queue[:0], 0
	}
	s.counts.Messages++
	s.counts.Bytes += int64(data.Len())
	raw := data.ReadOnlyData()
	if mem.IsBelowBufferPoolingThreshold(cap(raw)) {
		s.release(int64(cap(raw)))
		return data, false, nil // nobody frees it
	}
	sent := &sending{stream: s, data: data, raw: raw}
	return mem.NewBuffer(&sent.raw, sent), false, nil
}

// push queues data; the lock is held.
func (s *Stream) push(data mem.Buffer) {
	if s.counts.First.IsZero() {
		s.counts.First = time.Now()
	}
	if s.first > mostMessages { // a queue that has never been empty
		s.queue, s.first = append(s.queue[:0], s.queue[s.first:]...), 0
	}
	s.queue = append(s.queue, data)
	s.held++
	s.bytes += int64(cap(data.ReadOnlyData()))
}

// release makes the room of a message of n bytes free; the lock is held.
func (s *Stream) release(n int64) {
	s.held--
	s.bytes -= n
	signal(s.room)
}

// sending is the pool of the buffer of one message on its way to the client.
type sending struct {
	stream *Stream
	data   mem.Buffer
	raw    []byte
}

// Get implements mem.BufferPool; it is not called.
func (b *sending) Get(length int) *[]byte { return new(make([]byte, length)) }

// Put implements mem.BufferPool: the client has the message.
func (b *sending) Put(*[]byte) {
	b.data.Free()
	b.stream.mu.Lock()
	b.stream.release(int64(cap(b.raw)))
	b.stream.mu.Unlock()
}

// signal fills the slot of c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Cut is the error of a part that has ended without saying that it ends: it is never the end of
// the stream.
type Cut struct {
	// Messages is how many messages the part had.
	Messages int
	// Replied says that the stream has ended before, by an early reply: the rest is missing.
	Replied bool
	// Cause is why there are no more.
	Cause error
}

// Error implements error; it follows the name of the node.
func (c *Cut) Error() string {
	if c.Replied {
		return fmt.Sprintf("broke off its response after its early reply: %v", c.Cause)
	}
	return fmt.Sprintf("broke off the stream after %d messages: %v", c.Messages, c.Cause)
}

// Unwrap returns the cause.
func (c *Cut) Unwrap() error { return c.Cause }
