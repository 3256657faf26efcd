// Package link connects two parts of one process as HTTP connects two: by connections in
// memory, which need no system call and wake no other process.
package link

import (
	"errors"
	"net"
	"sync"
)

// backlog is how many connections may wait to be accepted.
const backlog = 1024

// errFull is the error of a connection for which there is no room in the backlog.
var errFull = errors.New("too many connections wait to be accepted")

// Link is an address in this process. Connections that are made while nobody accepts them
// wait, as those to a socket do: whoever serves may end and be followed by another.
type Link struct {
	name    address
	waiting chan *conn
	once    sync.Once
	closed  chan struct{}

	mu     sync.Mutex
	server *server // who serves now, and is called without a connection; nil: nobody
}

// New returns a link whose addresses have the given name.
func New(name string) *Link {
	return &Link{name: address(name), waiting: make(chan *conn, backlog), closed: make(chan struct{})}
}

// Dial makes a connection, without waiting. Its error, after Close or if too many wait, is a
// *net.OpError, as that of a socket.
func (l *Link) Dial() (net.Conn, error) {
	err := net.ErrClosed
	select {
	case <-l.closed:
	default:
		near, far := pair(l.name)
		select {
		case l.waiting <- far:
			l.drain() // if it has been closed meanwhile
			return near, nil
		default:
			err = errFull
		}
	}
	return nil, &net.OpError{Op: "dial", Net: l.name.Network(), Addr: l.name, Err: err}
}

// Close ends the connections that nobody has accepted. Those that have been remain.
func (l *Link) Close() {
	l.once.Do(func() { close(l.closed) })
	l.drain()
}

// drain closes what waits on a link that is closed.
func (l *Link) drain() {
	select {
	case <-l.closed:
	default:
		return
	}
	for {
		select {
		case c := <-l.waiting:
			_ = c.Close()
		default:
			return
		}
	}
}

// Listen returns a listener that accepts the link's connections until it, or the link, is
// closed.
func (l *Link) Listen() net.Listener { return &listener{link: l, closed: make(chan struct{})} }

// listener is one server's view of a link.
type listener struct {
	link   *Link
	once   sync.Once
	closed chan struct{}
	server *server // nil: it is reached by connections only
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed: // before what waits: that is for the next listener
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.link.waiting:
		return c, nil
	case <-l.closed:
	case <-l.link.closed:
	}
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.link.leave(l.server)
		close(l.closed)
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.link.name }

// address is that of a link.
type address string

// Network implements net.Addr.
func (address) Network() string { return "memory" }

// String implements net.Addr.
func (a address) String() string { return string(a) }
