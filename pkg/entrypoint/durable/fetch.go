package durable

import (
	"context"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
)

const (
	// batch is how many events are fetched at once, at most: a replica that has nothing to do
	// gets those that another one would only keep.
	batch = 16
	// batchBytes bounds them; one event may be larger.
	batchBytes = 4 << 20
	// firstPause and longestPause are the pauses while the queue cannot be reached.
	firstPause, longestPause = 100 * time.Millisecond, 5 * time.Second
)

// step is a node's place in a workflow, as events are carried to it.
type step struct {
	*Carrier
	name     queue.Step
	nodes    []string // of the workflow
	workflow Workflow
	node     *delivery.Node
	slots    chan struct{} // for events at work
}

func (c *Carrier) newStep(w Workflow, name queue.Step) *step {
	return &step{Carrier: c, name: name, workflow: w, nodes: w.nodes(), slots: make(chan struct{}, c.options.Concurrent)}
}

// last reports whether the workflow ends with the step.
func (s *step) last() bool { return s.name.Index == len(s.nodes)-1 }

// next is the step that follows.
func (s *step) next() queue.Step {
	return queue.Step{Workflow: s.name.Workflow, Index: s.name.Index + 1, Node: s.nodes[s.name.Index+1]}
}

// fetch passes the events of a step to begin, each on a goroutine of its own, until no event is
// begun any more. It fetches as many as there are slots for.
func (c *Carrier) fetch(name queue.Step, slots chan struct{}, begin func(*client.Received)) {
	for pause := firstPause; c.fetching.Err() == nil; {
		n := c.take(slots)
		if n == 0 {
			return
		}
		err := c.client.Fetch(c.fetching, name, n, batchBytes, func(r *client.Received) {
			n--
			if r.Delivered > 1 {
				c.metrics.redelivered(name)
			}
			c.works.Go(func() {
				defer func() { <-slots }()
				begin(r)
			})
		})
		for ; n > 0; n-- {
			<-slots
		}
		if err == nil {
			pause = firstPause
			continue
		}
		_ = c.client.Ensure(c.fetching) // or the next fetch fails, too
		sleep(c.fetching, pause)
		pause = min(2*pause, longestPause)
	}
}

// take waits for a slot, and takes up to a batch of those that there are.
func (c *Carrier) take(slots chan struct{}) (n int) {
	select {
	case slots <- struct{}{}:
	case <-c.fetching.Done():
		return 0
	}
	for n = 1; n < batch; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n
		}
	}
	return n
}

// sleep waits; it reports false if ctx was done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
