package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// fleet is all instances of a run: those that serve, those being started, and
// earlier ones that still finish requests.
type fleet struct {
	report  Reporter
	restart restart
	hurry   chan struct{} // closed: what is stopping is killed
	links   links         // to the nodes

	mu        sync.Mutex
	instances map[*instance]bool
	stopping  bool
	once      sync.Once
}

func newFleet(r Reporter, policy restart) *fleet {
	return &fleet{
		report: r, restart: policy,
		hurry: make(chan struct{}), instances: map[*instance]bool{},
	}
}

// errStopping is returned when something is started while the run is being
// stopped.
var errStopping = errors.New("the run is being stopped")

// start launches an instance of each spec and returns when all are ready. When
// one fails, or ctx is done, it stops them all and returns the errors.
func (f *fleet) start(ctx context.Context, specs []spec) ([]*instance, error) {
	var started []*instance
	for _, s := range specs {
		i, err := f.add(s)
		if err != nil {
			f.discard(started)
			return nil, err
		}
		started = append(started, i)
	}
	if err := awaitAll(ctx, started); err != nil {
		f.discard(started)
		return nil, err
	}
	return started, nil
}

// awaitAll returns when all instances are ready, or the first has failed. Those
// that fail at the same time as the first are reported as well.
func awaitAll(ctx context.Context, instances []*instance) error {
	failed := make(chan struct{}, len(instances))
	var wait sync.WaitGroup
	for _, i := range instances {
		wait.Go(func() {
			select {
			case <-i.started:
			case <-ctx.Done():
				return
			}
			if i.startErr != nil {
				failed <- struct{}{}
			}
		})
	}
	all := make(chan struct{})
	go func() { defer close(all); wait.Wait() }()
	select {
	case <-all:
	case <-failed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var errs []error
	for _, i := range instances {
		select {
		case <-i.started:
			if i.startErr != nil {
				errs = append(errs, i.startErr)
			}
		default:
		}
	}
	return errors.Join(errs...)
}

// add starts an instance of s in the background.
func (f *fleet) add(s spec) (*instance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopping {
		return nil, errStopping
	}
	door, err := f.open(s)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for node %q: %w", s.node, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{
		spec: s, restart: f.restart, report: f.report, hurry: f.hurry, last: &tail{},
		door: door, cancel: cancel,
		started: make(chan struct{}), ended: make(chan struct{}),
	}
	i.gone = func() { f.forget(i) }
	f.instances[i] = true
	go i.supervise(ctx)
	return i, nil
}

// open makes the door of what s runs.
func (f *fleet) open(s spec) (*door, error) {
	if len(s.args) == 0 {
		return f.links.open(s.node), nil
	}
	return f.links.listen()
}

func (f *fleet) forget(i *instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.instances, i)
}

// discard stops instances and waits until they are gone.
func (f *fleet) discard(instances []*instance) {
	for _, i := range instances {
		i.stop()
	}
	for _, i := range instances {
		<-i.ended
	}
}

// kill kills what is stopping, now or later.
func (f *fleet) kill() { f.once.Do(func() { close(f.hurry) }) }

// stop ends all instances, by force after limit, and returns when none is left.
func (f *fleet) stop(limit time.Duration) {
	timer := time.AfterFunc(limit, f.kill)
	defer timer.Stop()
	f.mu.Lock()
	f.stopping = true
	var all []*instance
	for i := range f.instances {
		all = append(all, i)
	}
	f.mu.Unlock()
	f.discard(all)
}
