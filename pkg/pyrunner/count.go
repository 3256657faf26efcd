package pyrunner

import (
	"errors"
	"fmt"
	"sync"
)

// errNoWorker is the error of calls that were refused because no worker could be
// started.
var errNoWorker = errors.New("no worker could be started")

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
