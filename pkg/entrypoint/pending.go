package entrypoint

import (
	"sync"

	"krt.dev/kn-krt/pkg/entrypoint/seal"
)

// pending holds the requests that wait for a response, in shards so that
// concurrent requests seldom meet at a lock.
type pending struct {
	shards [64]shard
}

type shard struct {
	sync.Mutex
	requests map[seal.ID]*request
	_        [40]byte // a cache line of its own
}

func newPending() *pending {
	p := &pending{}
	for i := range p.shards {
		p.shards[i].requests = map[seal.ID]*request{}
	}
	return p
}

func (p *pending) shard(id seal.ID) *shard { return &p.shards[id[0]%64] }

func (p *pending) add(id seal.ID, r *request) {
	s := p.shard(id)
	s.Lock()
	s.requests[id] = r
	s.Unlock()
}

func (p *pending) remove(id seal.ID) {
	s := p.shard(id)
	s.Lock()
	delete(s.requests, id)
	s.Unlock()
}

// get returns the request that waits under id, nil when none does any more.
func (p *pending) get(id seal.ID) *request {
	s := p.shard(id)
	s.Lock()
	defer s.Unlock()
	return s.requests[id]
}
