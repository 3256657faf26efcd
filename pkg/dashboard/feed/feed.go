// Package feed keeps what a page reads from an inspection port again and again while somebody looks.
package feed

import (
	"context"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
)

const (
	// interval is how often it is read, pause what is waited for after a failure.
	interval = 3 * time.Second
	pause    = 5 * time.Second
	// readTime bounds one time.
	readTime = 20 * time.Second
)

// Reader reads a T from the inspection port of a version.
type Reader[T any] struct {
	Source source.Inspectors
	Ref    source.Ref
	Read   func(context.Context, *inspection.Client) (T, error)
}

// Once reads it once.
func (r Reader[T]) Once(ctx context.Context) (value T, err error) {
	err = r.Source.Inspect(ctx, r.Ref, func(ctx context.Context, at *inspection.Client) (err error) {
		value, err = r.read(ctx, at)
		return err
	})
	return value, err
}

func (r Reader[T]) read(ctx context.Context, at *inspection.Client) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return r.Read(ctx, at)
}

// State is what was read last.
type State[T any] struct {
	Value T
	// Err is why it cannot be read at present; nil if it is.
	Err error
	// Waiting says that it has not been read yet.
	Waiting bool
}

// Feed keeps what was read last. It may be used by many goroutines at a time.
type Feed[T any] struct {
	mu    sync.Mutex
	state State[T]
}

// New makes a feed that waits.
func New[T any]() *Feed[T] { return &Feed[T]{state: State[T]{Waiting: true}} }

// State returns what the feed has.
func (f *Feed[T]) State() State[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// set keeps a value, or why there is none now: the last one that was read stays.
func (f *Feed[T]) set(value T, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.state.Value = value
	}
	f.state.Err, f.state.Waiting = err, false
}

// Follow reads again and again until ctx ends, by one connection as long as that lasts, and calls changed
// each time.
func (f *Feed[T]) Follow(ctx context.Context, from Reader[T], changed func()) {
	for ctx.Err() == nil {
		err := from.Source.Inspect(ctx, from.Ref, func(ctx context.Context, at *inspection.Client) error {
			for {
				value, err := from.read(ctx, at)
				if err != nil {
					return err
				}
				f.set(value, nil)
				changed()
				if !wait(ctx, interval) {
					return nil
				}
			}
		})
		if err != nil && ctx.Err() == nil {
			var none T
			f.set(none, err)
			changed()
		}
		wait(ctx, pause)
	}
}

// wait reports whether ctx has not ended meanwhile.
func wait(ctx context.Context, how time.Duration) bool {
	timer := time.NewTimer(how)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
