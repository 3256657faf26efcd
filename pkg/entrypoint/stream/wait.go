package stream

import (
	"cmp"
	"context"
	"time"
)

// beginTime is how long the first message is waited for before the response begins without it.
const beginTime = 50 * time.Millisecond

// Wait waits for the end of the stream, gives the client its last message, and returns nil once it
// has been given all. Else the error is [ErrIdle], why the port has refused a message, or why until
// or work, contexts, has ended; an end that has come is before these. It may be called again.
func (s *Stream) Wait(until, work context.Context) error {
	if s.timer == nil {
		first := beginTime
		if idle := s.limits.Idle; idle > 0 {
			first = min(first, idle)
		}
		s.timer = time.NewTimer(first)
	}
	var err error
	for waits := true; waits; {
		waits = false
		select {
		case <-s.over: // by its end, or because until has ended
			err = cmp.Or(context.Cause(until), ErrOver)
		case <-until.Done():
			err = context.Cause(until)
		case <-work.Done():
			err = context.Cause(work)
		case <-s.timer.C:
			if s.tick() {
				return ErrIdle
			}
			waits = true
		}
	}
	if ended, failed := s.finish(); ended || failed != nil {
		return failed
	}
	return err
}

// finish gives the client the last message, if the stream has ended. The error is why the port
// has refused one.
func (s *Stream) finish() (ended bool, err error) {
	s.turn.Lock() // after a message that is being sent
	defer s.turn.Unlock()
	s.mu.Lock()
	ended, err = s.ended, s.refused
	last := s.last
	if s.last = nil; last == nil || err != nil {
		s.mu.Unlock()
		if last != nil {
			last.Free()
		}
		return ended, err
	}
	s.held++
	s.bytes += int64(cap(last.ReadOnlyData()))
	return ended, s.give(last)
}

// tick begins the response, if no message has, and reports whether a node has had nothing to send for
// too long.
func (s *Stream) tick() (idle bool) {
	if !s.begun && s.sink.Begin != nil && s.turn.TryLock() { // else a message begins it
		s.sink.Begin()
		s.turn.Unlock()
	}
	s.begun = true
	if s.limits.Idle == 0 {
		return false
	}
	rest := s.limits.Idle - s.idle()
	if rest > 0 {
		s.timer.Reset(rest)
	}
	return rest <= 0
}

// idle is for how long the node that has the stream has had nothing to send. It may wait for the
// client to read, and between two nodes there may be a wait for a pod or a worker: neither counts.
func (s *Stream) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil || s.waiting || s.sending || s.ended || s.counts.Messages == 0 {
		return 0
	}
	return time.Since(s.moved)
}
