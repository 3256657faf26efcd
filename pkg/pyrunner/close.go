package pyrunner

import (
	"fmt"
	"runtime/debug"
	"time"
)

// survive is deferred by what runs on its own: a panic ends the node and not the process, which may be that of others
// too.
func (n *node) survive() {
	if p := recover(); p != nil {
		n.end(n.panicked(p))
	}
}

// failing is deferred by what returns an error: a panic is one.
func (n *node) failing(err *error) {
	if p := recover(); p != nil {
		*err = n.panicked(p)
	}
}

// panicked logs a panic and returns it as an error.
func (n *node) panicked(p any) (err error) {
	err = fmt.Errorf("its front panicked: %v", p)
	defer func() { _ = recover() }() // it may have been who gets the log that panicked
	n.log.Error("the node's front panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return err
}

// killing makes all processes be killed when the node is to end at once; the function that
// it returns ends that.
func (n *node) killing() (stop func()) {
	over := make(chan struct{})
	go func() {
		defer n.survive()
		select {
		case <-over:
			return
		case <-n.kill:
		}
		n.end(errStopped)
		if h := n.started(); h != nil {
			h.kill()
		}
	}()
	return func() { close(over) }
}

// started returns what Init has started, once Init has ended: the end of the node ends it, and
// a later one starts nothing. Nil if that is nothing.
func (n *node) started() host {
	n.starting.Lock()
	defer n.starting.Unlock()
	return n.host
}

// close ends all processes and frees what Init allocated, which it waits for.
func (n *node) close() {
	n.end(errStopped)
	if h := n.started(); h != nil {
		patience := time.AfterFunc(n.endGrace, h.kill)
		h.close(n.pool.close())
		patience.Stop()
	}
	n.keepers.Wait()
	// With a limit: a process that left the group may keep the pipe open.
	drained := make(chan struct{})
	go func() {
		n.output.Wait()
		close(drained)
	}()
	within(closePatience, drained)
	for _, files := range n.files {
		_ = files.remove()
	}
}

// within reports whether done is closed before d has passed.
func within(d time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
