// Package spare runs functions on goroutines that have run others before. A new goroutine begins with a
// small stack, which is copied each time that it does not suffice: where a request is handed to one, that
// was up to a tenth of its work. One that has ended its function waits for the next with the stack that
// it has.
package spare

import "sync/atomic"

// most is how many goroutines wait for functions; stacks of 8 KiB are usual.
const most = 64

var (
	work    = make(chan func())
	waiting atomic.Int32
)

// Go calls f on a goroutine of its own, as a go statement does.
func Go(f func()) {
	select {
	case work <- f:
	default:
		go run(f)
	}
}

// run calls f, and what comes after it. It ends where enough others wait.
func run(f func()) {
	for {
		f()
		if waiting.Add(1) > most {
			waiting.Add(-1)
			return
		}
		f = <-work
		waiting.Add(-1)
	}
}
