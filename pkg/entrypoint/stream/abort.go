package stream

import (
	"context"
	"sync/atomic"
)

// AbortAt calls abort when until ends while sends is set: it ends a send that waits for the client. The
// function that it returns ends that, and waits for an abort that has begun: the client's connection
// may not be touched once its handler has returned.
func AbortAt(until context.Context, sends *atomic.Bool, abort func()) (stop func()) {
	over := make(chan struct{})
	stopped := context.AfterFunc(until, func() {
		defer close(over)
		if sends.Load() {
			abort()
		}
	})
	return func() {
		if !stopped() {
			<-over
		}
	}
}
