package httpclient

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/runner/promptio"
)

const (
	// idleTime is how long a connection may be idle. Nodes keep theirs longer, so
	// that a POST seldom meets one that is just being closed.
	idleTime = 90 * time.Second
	// maxIdle bounds the idle connections to each host: as many as a busy version
	// has requests at once.
	maxIdle = 1024
)

// errHeaderTooLong ends a response whose header is too long.
var errHeaderTooLong = errors.New("the response's header is too long")

// connection is a connection to a node or a channel.
type connection struct {
	net.Conn
	peer     string          // the name that the other end has given; "": it was not asked
	raw      syscall.RawConn // nil for a connection within this process
	probe    func(fd uintptr) bool
	quiet    bool      // what probe found
	limited  bool      // by lossTime
	aged     bool      // expiry is of the connection's age
	readable int       // bytes that may still be read
	expiry   time.Time // from when on it is not used again; unless aged, of the time that it has been idle
}

func newConnection(conn net.Conn, maxAge time.Duration) (*connection, error) {
	c := &connection{Conn: conn}
	if tcp, ok := conn.(*net.TCPConn); ok {
		prompt, err := promptio.NewTCP(tcp)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		c.Conn = prompt
	}
	if maxAge > 0 {
		c.aged, c.expiry = true, time.Now().Add(maxAge)
	}
	of, ok := conn.(syscall.Conn)
	if !ok {
		return c, nil
	}
	var err error
	if c.raw, err = of.SyscallConn(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c.probe = func(fd uintptr) bool {
		c.quiet = promptio.Quiet(fd)
		return true
	}
	return c, nil
}

// limitLoss bounds by lossTime how long a request with that many bytes may remain unacknowledged. A large one is
// not bounded: where requests are queued, as Knative does, nobody may read it for a while, and the system counts
// that as the same.
func (c *connection) limitLoss(length int) {
	switch small := length <= joinBytes; {
	case c.raw == nil: // nothing can be lost
	case small && !c.limited:
		c.setLossTime(lossTime)
	case !small && c.limited:
		c.setLossTime(0)
	}
}

// setLossTime bounds it, unless limit is 0. Where the system refuses, the request's own deadline bounds it.
func (c *connection) setLossTime(limit time.Duration) {
	var failed error
	err := c.raw.Control(func(fd uintptr) { failed = setLossTime(fd, limit) })
	if err == nil && failed == nil {
		c.limited = limit > 0
	}
}

// Read implements io.Reader.
func (c *connection) Read(p []byte) (int, error) {
	if c.readable <= 0 {
		return 0, errHeaderTooLong
	}
	n, err := c.Conn.Read(p[:min(len(p), c.readable)])
	c.readable -= n
	return n, err
}

// alive reports whether an idle connection can be used: it is not too old, and the
// node has neither closed it nor sent anything unasked.
func (c *connection) alive() bool {
	if c.aged && time.Now().After(c.expiry) {
		return false
	}
	if c.raw == nil {
		near, ok := c.Conn.(interface{ Quiet() bool })
		return ok && near.Quiet()
	}
	return c.raw.Read(c.probe) == nil && c.quiet
}

// idleConnections are the connections that are not in use, by host.
type idleConnections struct {
	sync.Mutex
	byHost map[string][]*connection // those idle for the longest first
	sweep  *time.Timer              // nil while there are none
	closed bool
}

// get returns the connection to host and the peer that was used last and is alive, nil if
// there is none. One to another peer is of no use any more: its address has changed hands.
func (i *idleConnections) get(host, peer string) *connection {
	for {
		c := i.pop(host)
		if c == nil || c.peer == peer && c.alive() {
			return c
		}
		_ = c.Close()
	}
}

func (i *idleConnections) pop(host string) *connection {
	i.Lock()
	defer i.Unlock()
	conns := i.byHost[host]
	if len(conns) == 0 {
		return nil
	}
	last := len(conns) - 1
	c := conns[last]
	conns[last] = nil
	i.byHost[host] = conns[:last]
	return c
}

// put keeps c for later, or closes it if there are enough.
func (i *idleConnections) put(host string, c *connection) {
	if !c.aged {
		c.expiry = time.Now().Add(idleTime)
	}
	i.Lock()
	defer i.Unlock()
	conns := i.byHost[host]
	if i.closed || len(conns) >= maxIdle {
		_ = c.Close()
		return
	}
	if i.byHost == nil {
		i.byHost = map[string][]*connection{}
	}
	i.byHost[host] = append(conns, c)
	if i.sweep == nil {
		i.sweep = time.AfterFunc(idleTime, i.expire)
	}
}

// forget closes the connections to host.
func (i *idleConnections) forget(host string) {
	i.Lock()
	conns := i.byHost[host]
	delete(i.byHost, host)
	i.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// expire closes the connections that have been idle for too long.
func (i *idleConnections) expire() {
	i.Lock()
	defer i.Unlock()
	i.sweep = nil
	now := time.Now()
	for host, conns := range i.byHost {
		n := 0
		for n < len(conns) && (i.closed || now.After(conns[n].expiry)) {
			_ = conns[n].Close()
			n++
		}
		if n == len(conns) {
			delete(i.byHost, host)
			continue
		}
		i.byHost[host] = append(conns[:0:0], conns[n:]...)
	}
	if len(i.byHost) > 0 {
		i.sweep = time.AfterFunc(idleTime/2, i.expire)
	}
}

// close closes all connections, and those that are put here from now on.
func (i *idleConnections) close() {
	i.Lock()
	i.closed = true
	if i.sweep != nil {
		i.sweep.Stop()
	}
	i.Unlock()
	i.expire()
}
