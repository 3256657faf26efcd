package entrypoint

import (
	"encoding/hex"
	"sync"
)

// requestID names a request: 128 random bits.
type requestID [16]byte

// String returns the id in hex, as the correlation id has it.
func (id requestID) String() string { return hex.EncodeToString(id[:]) }

// pending holds the requests that wait for a response, in shards so that
// concurrent requests seldom meet at a lock.
type pending struct {
	shards [64]shard
}

type shard struct {
	sync.Mutex
	requests map[requestID]*request
	_        [40]byte // a cache line of its own
}

func newPending() *pending {
	p := &pending{}
	for i := range p.shards {
		p.shards[i].requests = map[requestID]*request{}
	}
	return p
}

func (p *pending) shard(id requestID) *shard { return &p.shards[id[0]%64] }

func (p *pending) add(id requestID, r *request) {
	s := p.shard(id)
	s.Lock()
	s.requests[id] = r
	s.Unlock()
}

func (p *pending) remove(id requestID) {
	s := p.shard(id)
	s.Lock()
	delete(s.requests, id)
	s.Unlock()
}

// get returns the request that waits under id, nil when none does any more.
func (p *pending) get(id requestID) *request {
	s := p.shard(id)
	s.Lock()
	defer s.Unlock()
	return s.requests[id]
}
