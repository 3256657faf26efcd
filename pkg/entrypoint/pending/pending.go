// Package pending keeps what waits for a response under the ids of requests.
package pending

import (
	"sync"

	"krt.dev/kn-krt/pkg/entrypoint/seal"
)

// Set holds what waits for a response, in shards so that concurrent requests seldom meet at a lock.
type Set[T any] struct {
	shards [64]shard[T]
}

type shard[T any] struct {
	sync.Mutex
	requests map[seal.ID]T
	_        [40]byte // a cache line of its own
}

// New returns an empty set.
func New[T any]() *Set[T] {
	p := &Set[T]{}
	for i := range p.shards {
		p.shards[i].requests = map[seal.ID]T{}
	}
	return p
}

func (p *Set[T]) shard(id seal.ID) *shard[T] { return &p.shards[id[0]%64] }

// Add adds r, which waits under id from now on.
func (p *Set[T]) Add(id seal.ID, r T) {
	s := p.shard(id)
	s.Lock()
	s.requests[id] = r
	s.Unlock()
}

// Remove removes what waits under id, if something does.
func (p *Set[T]) Remove(id seal.ID) {
	s := p.shard(id)
	s.Lock()
	delete(s.requests, id)
	s.Unlock()
}

// Any reports whether f holds for something that waits, for which it is called under a lock.
func (p *Set[T]) Any(f func(T) bool) bool {
	for i := range p.shards {
		s := &p.shards[i]
		s.Lock()
		for _, r := range s.requests {
			if f(r) {
				s.Unlock()
				return true
			}
		}
		s.Unlock()
	}
	return false
}

// Get returns what waits under id; the zero value when nothing does any more.
func (p *Set[T]) Get(id seal.ID) T {
	s := p.shard(id)
	s.Lock()
	defer s.Unlock()
	return s.requests[id]
}
