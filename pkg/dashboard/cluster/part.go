package cluster

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/follow"
	"krt.dev/kn-krt/pkg/cluster/response"
)

const (
	// pause is before following is tried again the first time, see [follow.Backoff].
	pause = follow.RetryPause
	// deniedPause is before what the user may not read is tried again: somebody may have
	// given the right.
	deniedPause = 30 * time.Second
)

// part is what is kept of the objects of one kind: of each a K. It is kept up to date as long
// as it runs, however often the API server is away.
type part[T client.Object, K any] struct {
	follow func(context.Context, cluster.Listener[T]) error
	// keep returns what is kept of an object, and whether that differs from what was kept of
	// it until now: before, if anything.
	keep func(object T, before K) (now K, differs bool)
	// changed is called after each change with the object's key and what was kept of it; with a
	// zero key anything may have changed.
	changed func(client.ObjectKey, K)

	mu      sync.Mutex
	objects map[client.ObjectKey]K
	err     error         // why nothing is known; nil if it is
	settled chan struct{} // closed once it is known what there is, or why not
	once    sync.Once
}

// run keeps the part up to date until ctx is done.
func (p *part[T, K]) run(ctx context.Context) {
	pauses := follow.NewBackoff(pause)
	for ctx.Err() == nil {
		began := time.Now()
		err := p.follow(ctx, cluster.Listener[T]{Listed: p.listed, Changed: p.change})
		if ctx.Err() != nil {
			return
		}
		p.fail(err)
		if time.Since(began) > follow.Steady {
			pauses.Reset()
		}
		wait := pauses.Next()
		if response.Denied(err) {
			wait = deniedPause
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (p *part[T, K]) listed(all []T) {
	p.mu.Lock()
	before := p.objects
	p.objects = make(map[client.ObjectKey]K, len(all))
	for _, object := range all {
		key := client.ObjectKeyFromObject(object)
		p.objects[key], _ = p.keep(object, before[key])
	}
	p.err = nil
	p.mu.Unlock()
	p.settle()
}

func (p *part[T, K]) change(object T, gone bool) {
	key := client.ObjectKeyFromObject(object)
	p.mu.Lock()
	now, differs := p.keep(object, p.objects[key])
	if gone {
		delete(p.objects, key)
	} else {
		p.objects[key] = now
	}
	p.mu.Unlock()
	if gone || differs {
		p.changed(key, now)
	}
}

func (p *part[T, K]) fail(err error) {
	p.mu.Lock()
	p.objects, p.err = nil, err
	p.mu.Unlock()
	p.settle()
}

// failure returns why nothing is known; nil if something is, or that is not decided yet.
func (p *part[T, K]) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *part[T, K]) settle() {
	p.once.Do(func() { close(p.settled) })
	var nothing K
	p.changed(client.ObjectKey{}, nothing)
}

// read calls f with what is kept, which f must not change, unless it is not known: then it
// returns why. It waits until that is decided.
func (p *part[T, K]) read(ctx context.Context, f func(map[client.ObjectKey]K)) error {
	select {
	case <-p.settled:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err
	}
	f(p.objects)
	return nil
}
