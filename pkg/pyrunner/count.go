package pyrunner

import (
	"errors"
	"fmt"
	"sync"
)

// errNoWorker is the answer to calls that were sent away as no worker could be started.
var errNoWorker = errors.New("no worker could be started")

// count knows how many workers there are, and why there are none.
type count struct {
	mu      sync.Mutex
	alive   int
	failure error // of the last attempt to start one; nil if that went well
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

// Down says why no call can be run for now: all workers have died, and none could be
// started in their place.
func (n *node) Down() error {
	n.count.mu.Lock()
	defer n.count.mu.Unlock()
	if n.count.alive > 0 || n.count.failure == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errNoWorker, n.count.failure)
}
