package sqlite

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// searches is how many searches of one runtime read at a time, so that slow ones leave
// connections for those of others.
const searches = readers / 4

// turns are the searches of each runtime that has any. The zero value has none.
type turns struct {
	mu sync.Mutex
	of map[string]*turn
}

type turn struct {
	running *semaphore.Weighted
	users   int // that run or wait
}

// wait waits until a search of a runtime may run. The function that it returns must be called
// when the search has ended.
func (t *turns) wait(ctx context.Context, runtime string) (done func(), err error) {
	one := t.enter(runtime)
	if err := one.running.Acquire(ctx, 1); err != nil {
		t.leave(runtime, one)
		return nil, err
	}
	return func() {
		one.running.Release(1)
		t.leave(runtime, one)
	}, nil
}

func (t *turns) enter(runtime string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]*turn{}
	}
	one := t.of[runtime]
	if one == nil {
		one = &turn{running: semaphore.NewWeighted(searches)}
		t.of[runtime] = one
	}
	one.users++
	return one
}

func (t *turns) leave(runtime string, one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(t.of, runtime)
	}
}
