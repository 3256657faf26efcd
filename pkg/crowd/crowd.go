// Package crowd bounds the connections of a server that anybody in a cluster can reach, so that who opens many of them
// neither takes its memory nor keeps others out.
package crowd

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// Most is how many connections a port has at most; each takes up to 64 KiB, with TLS and a request's header.
	Most = 2048
	// IdleTime is how long a server keeps a connection without a request: longer than clients do, which are Go's with 90 s or
	// less, so that they do not ask on one that is just being closed.
	IdleTime = 2 * time.Minute
)

// Listener accepts connections up to a limit. For one more, one of the address that has the most is closed: the one that
// has been idle for the longest, or, of an address with more than a quarter of all, the one whose request takes the
// longest. Where none gives way, the new one is closed.
type Listener struct {
	net.Listener
	most int

	mu   sync.Mutex
	open map[*conn]struct{}
	of   map[string]int // connections by address
}

// Listen bounds the connections of l, which server serves: to most, or to [Most] if that is 0. It sets the server's
// ConnState.
func Listen(l net.Listener, server *http.Server, most int) *Listener {
	if most == 0 {
		most = Most
	}
	bounded := &Listener{Listener: l, most: most, open: map[*conn]struct{}{}, of: map[string]int{}}
	server.ConnState = bounded.note
	return bounded
}

// conn is an open connection. Its fields are guarded by the listener's lock.
type conn struct {
	net.Conn
	listener *Listener
	address  string
	busy     bool // a request has begun
	since    time.Time
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, listener: l, address: addressOf(accepted), since: time.Now()}
		out := l.add(c)
		if out != nil {
			_ = out.Close()
		}
		if out != c {
			return c, nil
		}
	}
}

// addressOf is a client's address without its port.
func addressOf(c net.Conn) string {
	text := c.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(text); err == nil {
		return host
	}
	return text
}

// add adds c, and returns the connection that is to be closed for it, if any: c itself if no other gives way.
func (l *Listener) add(c *conn) (out *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	if l.of[c.address]++; len(l.open) <= l.most {
		return nil
	}
	out = l.yields(c)
	l.remove(out)
	return out
}

// yields returns which connection gives way to c, or c. l is locked.
func (l *Listener) yields(c *conn) *conn {
	heaviest := c.address
	for address, n := range l.of {
		if n > l.of[heaviest] {
			heaviest = address
		}
	}
	out := l.first(func(o *conn) bool { return o.address == heaviest && !o.busy && o != c })
	if out == nil && heaviest != c.address && l.of[heaviest] > l.most/4 {
		out = l.first(func(o *conn) bool { return o.address == heaviest })
	}
	if out == nil && heaviest != c.address {
		out = l.first(func(o *conn) bool { return !o.busy && o != c })
	}
	return cmp.Or(out, c)
}

// first returns the connection that has been as it is for the longest, of those that may be closed.
func (l *Listener) first(may func(*conn) bool) (found *conn) {
	for c := range l.open {
		if may(c) && (found == nil || c.since.Before(found.since)) {
			found = c
		}
	}
	return found
}

// remove counts c no more. l is locked.
func (l *Listener) remove(c *conn) {
	if _, there := l.open[c]; !there {
		return
	}
	delete(l.open, c)
	if l.of[c.address]--; l.of[c.address] == 0 {
		delete(l.of, c.address)
	}
}

// note notes when a request begins and ends; it is the server's ConnState.
func (l *Listener) note(served net.Conn, state http.ConnState) {
	if secure, ok := served.(*tls.Conn); ok {
		served = secure.NetConn()
	}
	c, ok := served.(*conn)
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if busy := state == http.StateActive; busy || state == http.StateIdle {
		c.busy, c.since = busy, time.Now()
	}
}

// NetConn is the connection of the system.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close implements net.Conn.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	c.listener.remove(c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
