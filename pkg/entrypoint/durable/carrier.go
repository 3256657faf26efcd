// Package durable is the delivery by a queue that keeps events: NATS with JetStream. The
// delivery publishes a request's event, and a carrier, which each replica of the entrypoint has,
// takes events to their nodes one step at a time: it acknowledges one only when the event that
// follows is stored, or its result is delivered or kept. So what was accepted goes on over a
// crash of entrypoints, nodes and the server.
package durable

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
)

// concurrent bounds the events of a step that a replica has at once, unless the options do.
const concurrent = 256

// Letters keep what came of work that nobody waits for. The client of package letter is one.
type Letters interface {
	Put(ctx context.Context, l letter.Letter) error
	Delete(ctx context.Context, k letter.Kind, version, id string) error
}

// Options tune a [Carrier].
type Options struct {
	// Namespace and Version name the version, Workflows are all of them.
	Namespace, Version string
	Workflows          []Workflow
	// Queue says where the queue is.
	Queue queue.Settings
	// Letters gets results and dead letters; nil: they are logged and counted only.
	Letters Letters
	// Results is how long the result of an asynchronous request is kept; 0: it is not.
	Results time.Duration
	// Retry is how often a node is tried again that has failed. Default: as for a step.
	Retry delivery.Retry
	// Cold knows which nodes have no pod that could respond. Default: nothing is known.
	Cold *cold.Nodes
	// Background bounds the work that no client waits for.
	Background time.Duration
	// Concurrent bounds the events of a step that a replica has at once. Default
	// 256.
	Concurrent int
	// Logger gets what goes wrong. Default: slog.Default().
	Logger *slog.Logger
}

// Workflow is a workflow's steps.
type Workflow struct {
	Name  string
	Steps []delivery.Step
}

// nodes are the names of its nodes.
func (w Workflow) nodes() []string {
	names := make([]string, len(w.Steps))
	for i := range w.Steps {
		names[i] = w.Steps[i].Node
	}
	return names
}

// Carrier is a [delivery.Queue].
type Carrier struct {
	options Options
	client  *client.Client
	log     *slog.Logger
	room    room
	metrics *metrics
	steps   []*step
	home    delivery.Home

	// fetching ends when no event is begun any more, working when those that have begun must end.
	fetching, working context.Context
	rest, end         context.CancelFunc
	loops, works      sync.WaitGroup

	mu       sync.Mutex
	carried  map[carriage]*work
	sequence map[place]*work
	finished finished
}

// New returns a carrier, which connects in the background.
func New(o Options) (*Carrier, error) {
	if o.Concurrent == 0 {
		o.Concurrent = concurrent
	}
	if o.Retry == (delivery.Retry{}) {
		o.Retry = delivery.DefaultRetry()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := &Carrier{options: o, log: o.Logger, carried: map[carriage]*work{}, sequence: map[place]*work{}}
	c.room.reading = make(chan struct{}, 1)
	var names []queue.Step
	for _, w := range o.Workflows {
		steps := queue.Steps(w.Name, w.nodes()...)
		names = append(names, steps...)
		for _, name := range steps[:len(w.Steps)] {
			c.steps = append(c.steps, c.newStep(w, name))
		}
	}
	var err error
	c.client, err = client.Connect(o.Queue, client.Options{
		Namespace: o.Namespace, Version: o.Version, Steps: names, Logger: o.Logger,
	})
	if err != nil {
		return nil, err
	}
	c.metrics = newMetrics(c)
	c.fetching, c.rest = context.WithCancel(context.Background())
	c.working, c.end = context.WithCancel(context.Background())
	return c, nil
}

// Delivery implements [delivery.Queue].
func (c *Carrier) Delivery(s *delivery.Sender, workflow string, steps []delivery.Step) (delivery.Delivery, error) {
	var first *step
	for i, one := range steps {
		own := c.find(queue.Step{Workflow: workflow, Index: i, Node: one.Node})
		if own == nil {
			return nil, fmt.Errorf("node %q: the queue does not know step %d, but those that the entrypoint was started with", one.Node, i)
		}
		var err error
		if own.node, err = s.Node(one); err != nil {
			return nil, err
		}
		if i == 0 {
			first = own
		}
	}
	return s.Queued(c.client.URL(), func(ctx context.Context, r *delivery.Request) error {
		e := r.First.Event
		header := make(http.Header, 20)
		e.WriteHeader(header)
		note{async: r.Detached(), begin: r.Begun, protocol: r.Protocol, cause: e.CausationID}.write(header)
		return c.publish(ctx, client.Message{
			Step: first.name, ID: queue.ID(e.CorrelationID, 0, 0), Header: header, Data: r.First.Data.ReadOnlyData(),
		}, 0)
	}), nil
}

func (c *Carrier) find(name queue.Step) *step {
	for _, s := range c.steps {
		if s.name == name {
			return s
		}
	}
	return nil
}

// Start implements [delivery.Queue].
func (c *Carrier) Start(home delivery.Home) error {
	c.home = home
	for _, s := range c.steps {
		if s.node == nil {
			return fmt.Errorf("the queue has a step %s that is not one of the version's", s.name.Consumer())
		}
		c.loops.Go(func() { c.fetch(s.name, s.slots, s.begin) })
	}
	for _, w := range c.options.Workflows {
		box := make(chan struct{}, postboxConcurrent)
		c.loops.Go(func() { c.fetch(postbox(w), box, c.post) })
	}
	c.loops.Go(c.watch)
	return nil
}

// Carried implements [delivery.Queue].
func (c *Carrier) Carried(id seal.ID, node string) delivery.Carried {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.carried[carriage{id, node}]; w != nil {
		return w
	}
	return nil
}

// Stop implements [delivery.Queue].
func (c *Carrier) Stop(ctx context.Context) {
	c.rest()
	c.loops.Wait()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.works.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		c.end() // what is left is given back at once
		<-done
	}
	c.end()
	c.client.Close()
}

// Status reports what the version's stream holds.
func (c *Carrier) Status(ctx context.Context) (queue.Status, error) {
	return c.client.Status(ctx, true)
}

// attempted counts an attempt.
func (c *Carrier) attempted(s queue.Step, result record.Result) {
	c.home.Attempted(s.Workflow, s.Node, result)
}
