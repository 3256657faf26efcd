package pods

import (
	"net"
	"net/netip"
	"net/url"
	"time"
)

// state is whether a pod gets requests.
type state int

const (
	isNew   state = iota // not known yet: it is to be asked
	accepts              // it gets requests
	rests                // it gets none, and is not asked for a while
)

// Pod is a pod of a [Set].
type Pod struct {
	// URL is where it accepts requests.
	URL *url.URL

	set      *Set
	ip       netip.Addr
	state    state     // this and the rest are guarded by the set's mutex
	at       time.Time // since when it is known to accept requests, or to rest
	asked    time.Time // when it was asked last
	avoided  time.Time // until when others are preferred
	told     bool      // that it accepts no requests; it has responded to none since
	inFlight int
}

func (s *Set) newPod(ip netip.Addr) *Pod {
	return &Pod{set: s, ip: ip, URL: &url.URL{Scheme: "http", Host: net.JoinHostPort(ip.String(), s.port), Path: "/"}}
}

// due reports whether p is to be asked whether it accepts requests.
func (p *Pod) due(now time.Time) bool {
	switch p.state {
	case accepts:
		return now.Sub(p.at) >= askEvery
	case rests:
		return now.Sub(p.at) >= restTime
	}
	return true
}

// before reports whether p is rather to have a request than other.
func (p *Pod) before(other *Pod, now time.Time) bool {
	if mine, others := now.Before(p.avoided), now.Before(other.avoided); mine != others {
		return others
	}
	return p.inFlight < other.inFlight
}

// End is how a request to a pod has ended.
type End int

const (
	// Responded means that there was a response, or nobody waits for it any more.
	Responded End = iota
	// Failed means that the response was 5xx, or that the pod had too much to do. Other pods are preferred for a moment.
	Failed
	// Broke means that there was no response. The pod gets no request before it is known to accept them.
	Broke
	// Refused means that there was no connection, or one to another node's pod, or that queue-proxy found no node behind
	// it, although it goes on saying that it accepts requests. The pod gets no request for a while.
	Refused
)

// Done says how the request that [Set.Pick] chose the pod for has ended, and why.
func (p *Pod) Done(end End, why error) {
	s := p.set
	s.mu.Lock()
	defer s.mu.Unlock()
	p.inFlight--
	switch {
	case end == Responded && why == nil:
		p.told = false
	case end == Failed:
		p.avoided = time.Now().Add(avoidTime)
	case end == Broke && p.state == accepts:
		p.state, s.urgent = isNew, true
		s.o.Gone(p.URL.Host)
	case end == Refused:
		s.rest(p, why)
	}
}
