package main

import (
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// table is what one socket serves. It is replaced whole.
type table struct {
	listeners []*served
}

// served is a listener with the routes that are attached to it, and for TLS its certificates.
type served struct {
	host         string
	certificates []*tls.Certificate
	entries      []entry
}

// entry is one match of one rule for one host.
type entry struct {
	host string // empty for any
	match
	*action
	created time.Time
	name    string
	place   int // among the rules of its route
}

// action is what is done with a request.
type action struct {
	rule
	port     int32
	backends []backend
}

type backend struct {
	weight    int
	valid     bool
	http2     bool
	endpoints []endpoint
}

type endpoint struct {
	address string
	port    int32
}

func (e endpoint) String() string { return net.JoinHostPort(e.address, strconv.Itoa(int(e.port))) }

// sortEntries puts those that are to be tried first in front, by the rules of HTTPRoute and GRPCRoute.
func (s *served) sortEntries() {
	sort.SliceStable(s.entries, func(i, j int) bool {
		a, b := &s.entries[i], &s.entries[j]
		switch {
		case a.host != b.host && specificity(a.host) != specificity(b.host):
			return specificity(a.host) > specificity(b.host)
		case a.exact != b.exact:
			return a.exact
		case len(a.path) != len(b.path):
			return len(a.path) > len(b.path)
		case (a.verb+a.method == "") != (b.verb+b.method == ""):
			return a.verb+a.method != ""
		case len(a.headers) != len(b.headers):
			return len(a.headers) > len(b.headers)
		case !a.created.Equal(b.created):
			return a.created.Before(b.created)
		case a.name != b.name:
			return a.name < b.name
		default:
			return a.place < b.place
		}
	})
}

// specificity orders hosts: names without a wildcard first, then longer ones.
func specificity(host string) int {
	if host == "" {
		return 0
	}
	if strings.HasPrefix(host, "*.") {
		return len(host)
	}
	return 1000 + len(host)
}

// covers reports whether a host, which may have a wildcard or be empty for any, includes a name.
func covers(host, name string) bool {
	if wild, ok := strings.CutPrefix(host, "*"); ok {
		return strings.HasSuffix(name, wild) && len(name) > len(wild)
	}
	return host == "" || host == name
}

// intersect returns the hosts that a listener and a route have in common.
func intersect(listener string, hosts []gatewayv1.Hostname) (common []string) {
	if len(hosts) == 0 {
		return []string{listener}
	}
	for _, h := range hosts {
		host := string(h)
		switch {
		case covers(listener, host):
			common = append(common, host)
		case covers(host, listener):
			common = append(common, listener)
		}
	}
	return common
}

// listener finds the one that serves a host: the most specific.
func (t *table) listener(host string) *served {
	var best *served
	for _, l := range t.listeners {
		if covers(l.host, host) && (best == nil || specificity(l.host) > specificity(best.host)) {
			best = l
		}
	}
	return best
}

// find is the action for a request; nil if there is none.
func (t *table) find(r *http.Request) *action {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	l := t.listener(host)
	if l == nil {
		return nil
	}
	for i := range l.entries {
		if e := &l.entries[i]; covers(e.host, host) && e.fits(r) {
			return e.action
		}
	}
	return nil
}

func (m *match) fits(r *http.Request) bool {
	path, prefix := r.URL.Path, strings.TrimSuffix(m.path, "/")
	switch {
	case m.never, m.verb != "" && m.verb != r.Method, m.method != "" && !strings.HasSuffix(path, "/"+m.method):
		return false
	case m.exact && path != m.path:
		return false
	case !m.exact && path != prefix && !strings.HasPrefix(path, prefix+"/"):
		return false
	}
	for name, value := range m.headers {
		if strings.Join(r.Header.Values(name), ",") != value {
			return false
		}
	}
	return true
}

// pick draws one of the backends by weight; nil if there is none with a weight.
func (a *action) pick() *backend {
	total := 0
	for i := range a.backends {
		total += a.backends[i].weight
	}
	if total == 0 {
		return nil
	}
	n := rand.IntN(total)
	for i := range a.backends {
		if n -= a.backends[i].weight; n < 0 {
			return &a.backends[i]
		}
	}
	return nil
}
