package pyrunner

import (
	"errors"
	"fmt"
	"sync"
)

// errNoWorker is the error of calls that were refused because no worker could be
// started.
var errNoWorker = errors.New("no worker could be started")

// errStarting is the error of calls that have waited in vain for a worker to start.
var errStarting = errors.New("busy: no worker has become ready until shortly before its deadline: one is starting")

// count holds how many workers there are, and why there are none.
type count struct {
	mu      sync.Mutex
	alive   int
	failure error // of the last attempt to start one; nil if it succeeded
}

func (c *count) came() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive++
	c.failure = nil
}

func (c *count) went() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive--
}

func (c *count) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
}

// busy returns why a call has had no worker until shortly before its deadline.
func (n *node) busy() error {
	n.count.mu.Lock()
	defer n.count.mu.Unlock()
	if n.count.alive == 0 {
		return errStarting
	}
	return fmt.Errorf("busy: no worker was free until shortly before its deadline (workers: %d)", n.config.workers)
}

// Down implements [runner.Foreign]: no call can run while all workers are dead and none
// could be started in their place.
func (n *node) Down() error {
	n.count.mu.Lock()
	defer n.count.mu.Unlock()
	if n.count.alive > 0 || n.count.failure == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errNoWorker, n.count.failure)
}
