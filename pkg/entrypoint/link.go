package entrypoint

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// restTime is how long a link may rest. Nodes keep theirs longer, so that a
	// POST seldom meets one that is just being closed.
	restTime = 90 * time.Second
	// maxResting bounds the links that rest for each host: as many as a busy
	// version has requests at once.
	maxResting = 1024
)

// errHeader is the end of an answer whose header is too long.
var errHeader = errors.New("the answer's header is too long")

// link is a connection to a node.
type link struct {
	net.Conn
	raw    syscall.RawConn
	probe  func(fd uintptr) bool
	quiet  bool      // what probe found
	budget int       // bytes that may still be read
	rested time.Time // since when it rests
	aged   time.Time // from when on it is not used again; zero: never
}

func newLink(conn net.Conn, age time.Duration) (*link, error) {
	l := &link{Conn: conn}
	if age > 0 {
		l.aged = time.Now().Add(age)
	}
	var err error
	if l.raw, err = conn.(syscall.Conn).SyscallConn(); err != nil {
		return nil, err
	}
	l.probe = func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		l.quiet = errors.Is(err, syscall.EAGAIN)
		return true
	}
	return l, nil
}

// Read implements io.Reader within the budget.
func (l *link) Read(p []byte) (int, error) {
	if l.budget <= 0 {
		return 0, errHeader
	}
	n, err := l.Conn.Read(p[:min(len(p), l.budget)])
	l.budget -= n
	return n, err
}

// alive reports whether a link that rested can be used: it is not too old, and the
// node has neither closed it nor sent what nobody asked for.
func (l *link) alive() bool {
	if !l.aged.IsZero() && time.Now().After(l.aged) {
		return false
	}
	return l.raw.Read(l.probe) == nil && l.quiet
}

// idleLinks are links that rest, by host.
type idleLinks struct {
	sync.Mutex
	byHost map[string][]*link // the longest at rest first
	sweep  *time.Timer        // nil while nothing rests
	closed bool
}

// get returns the link to host that rested last and is alive, nil if there is
// none.
func (i *idleLinks) get(host string) *link {
	for {
		l := i.pop(host)
		if l == nil || l.alive() {
			return l
		}
		_ = l.Close()
	}
}

func (i *idleLinks) pop(host string) *link {
	i.Lock()
	defer i.Unlock()
	links := i.byHost[host]
	if len(links) == 0 {
		return nil
	}
	last := len(links) - 1
	l := links[last]
	links[last] = nil
	i.byHost[host] = links[:last]
	return l
}

// put lets l rest, or closes it if enough do.
func (i *idleLinks) put(host string, l *link) {
	l.rested = time.Now()
	i.Lock()
	defer i.Unlock()
	links := i.byHost[host]
	if i.closed || len(links) >= maxResting {
		_ = l.Close()
		return
	}
	if i.byHost == nil {
		i.byHost = map[string][]*link{}
	}
	i.byHost[host] = append(links, l)
	if i.sweep == nil {
		i.sweep = time.AfterFunc(restTime, i.expire)
	}
}

// forget closes the links to host.
func (i *idleLinks) forget(host string) {
	i.Lock()
	links := i.byHost[host]
	delete(i.byHost, host)
	i.Unlock()
	for _, l := range links {
		_ = l.Close()
	}
}

// expire closes the links that have rested for too long.
func (i *idleLinks) expire() {
	i.Lock()
	defer i.Unlock()
	i.sweep = nil
	limit := time.Now().Add(-restTime)
	for host, links := range i.byHost {
		n := 0
		for n < len(links) && (i.closed || links[n].rested.Before(limit)) {
			_ = links[n].Close()
			n++
		}
		if n == len(links) {
			delete(i.byHost, host)
			continue
		}
		i.byHost[host] = append(links[:0:0], links[n:]...)
	}
	if len(i.byHost) > 0 {
		i.sweep = time.AfterFunc(restTime/2, i.expire)
	}
}

// close closes all links, and those that come to rest from now on.
func (i *idleLinks) close() {
	i.Lock()
	i.closed = true
	if i.sweep != nil {
		i.sweep.Stop()
	}
	i.Unlock()
	i.expire()
}
