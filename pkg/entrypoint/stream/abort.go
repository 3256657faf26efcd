package stream

import "context"

// AbortAt calls abort when until ends: it ends a send that waits for the client. The function that it
// returns ends that, and waits for an abort that has begun: the client's connection may not be touched
// once its handler has returned.
func AbortAt(until context.Context, abort func()) (stop func()) {
	over := make(chan struct{})
	stopped := context.AfterFunc(until, func() {
		defer close(over)
		abort()
	})
	return func() {
		if !stopped() {
			<-over
		}
	}
}

// EndAt has until end the messages, also one that waits for the client. The function that it returns
// ends that.
func (s *Stream) EndAt(until context.Context) (stop func()) {
	return AbortAt(until, func() {
		s.mu.Lock()
		s.leave()
		sending := s.sending
		s.mu.Unlock()
		if sending {
			s.sink.Abort()
		}
	})
}
