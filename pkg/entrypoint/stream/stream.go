// Package stream passes the messages of a streaming rpc on from nodes to the client.
//
// Nodes send by parts, one at a time: a [Part] is what one node sends for one event. Whoever
// has a node's message gives it to the client itself, so that nothing is handed from one
// goroutine to another; the client's own waits for the end by [Stream.Wait]. Only so much is
// given that the client does not have yet: a client that does not read stops the node.
package stream

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/mem"
)

// The client is given at most this much that it does not have yet, and always one message.
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
	// ErrOver refuses messages of a stream that has ended, or whose client has gone. Whoever sends
	// gets it only once it is known why: what it makes of it must not come before.
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

// Sink is how a port gives the client the messages of a stream. Its functions but Abort are not
// called at the same time.
type Sink struct {
	// Send sends one message, and takes it over. It waits while the client does not read. Once
	// the client has the message, freed is called with the size of its buffer, unless it is nil.
	// After an error there are no more messages.
	Send func(data mem.Buffer, freed func(bytes int64)) error
	// Abort ends a Send that waits: the client's time is over, or it has gone.
	Abort func()
	// Begin begins the response without a message: none has come for a moment. It may be nil.
	Begin func()
}

// Stream is the stream of one request. Its end may come from anywhere, and the first one wins.
type Stream struct {
	message string
	limits  Limits
	sink    Sink
	freed   func(bytes int64) // release

	over chan struct{} // closed when no message is accepted any more
	left chan struct{} // closed when it is known how the client left
	room chan struct{} // one slot: there may be room for a message

	turn  sync.Mutex  // held while the client is given something
	timer *time.Timer // of Wait
	begun bool        // by Wait: Begin has been called, or need not be

	mu      sync.Mutex
	held    int   // messages that the client does not have yet, or for which there is room
	bytes   int64 // their buffers
	came    int   // messages of nodes
	last    mem.Buffer
	ended   bool
	gone    bool      // the client
	known   bool      // how the client left
	refused error     // why the port has refused a message
	waiting bool      // for room
	sending bool      // a message is given to the client
	moved   time.Time // when a node began to have nothing to wait for but itself
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

// New returns a stream of messages of the type with the given full name, which go to sink.
func New(message string, l Limits, to Sink) *Stream {
	s := &Stream{
		message: message, limits: l, sink: to,
		over: make(chan struct{}), left: make(chan struct{}), room: make(chan struct{}, 1),
	}
	s.freed = s.release
	return s
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
// last message. It never waits: [Stream.Wait] sends that one. It takes last over, and reports
// whether it was the first.
func (s *Stream) End(last mem.Buffer) bool {
	s.mu.Lock()
	first := !s.ended && !s.gone
	if first {
		s.stop()
		s.ended, s.last, last = true, last, nil
	}
	s.mu.Unlock()
	if last != nil {
		last.Free()
	}
	return first
}

// stop has no message accepted any more; the lock is held.
func (s *Stream) stop() {
	if !s.stopped() {
		close(s.over)
	}
}

// stopped reports whether no message is accepted any more; the lock is held.
func (s *Stream) stopped() bool { return s.ended || s.gone || s.refused != nil }

// leave notes that the client has gone; the lock is held.
func (s *Stream) leave() {
	s.stop()
	s.gone = true
}

// Abandon ends the use of the sink, which the port may then give up: the client has gone, or has
// all. It is known by then why. It waits for a message that is just being sent. Whoever sends
// another gets [ErrOver].
func (s *Stream) Abandon() {
	s.mu.Lock()
	s.leave()
	if !s.known {
		s.known = true
		close(s.left)
	}
	last := s.last
	s.last = nil
	s.mu.Unlock()
	s.turn.Lock()
	defer s.turn.Unlock()
	if last != nil {
		last.Free()
	}
}

// give gives the client a message, whose room has been taken; the lock is held, and given back,
// and it is the caller's turn.
func (s *Stream) give(data mem.Buffer) error {
	if s.counts.Messages++; s.counts.Messages == 1 {
		s.counts.First = time.Now()
	}
	s.counts.Bytes += int64(data.Len())
	gone := s.gone
	s.sending = !gone
	s.mu.Unlock()
	err := ErrOver
	if gone {
		data.Free()
	} else {
		err = s.sink.Send(data, s.freed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending, s.moved = false, time.Now()
	if err != nil {
		s.stop()
		s.refused = err
	}
	return err
}

// release makes the room of a message of n bytes free.
func (s *Stream) release(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
	s.bytes -= n
	if s.waiting {
		signal(s.room)
	}
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
