package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/local/link"
)

// inProcess is the domain of hosts within this process: no resolver has a name in it (RFC 6761), so that
// nothing for a node that has ended gets to another machine.
const inProcess = ".invalid"

// errAway is part of the error of a connection to a door that is closed.
var errAway = errors.New("the node does not run any more; its lines in the log say why")

// door is where a node accepts events: at a socket, or within this process. We hold it as
// long as the node is needed: no other program can take the port while a node is started
// again, and requests that arrive meanwhile wait instead of failing. Once some starts have failed,
// they fail, with the cause, until the node is ready.
type door struct {
	url     string
	port    int      // of the socket
	file    *os.File // the socket; nil for a link
	link    *link.Link
	gone    func()
	refusal atomic.Pointer[refusal] // nil: who comes may wait
}

// refusal is why nobody is let in: the node has exited, and its starts have failed since.
type refusal struct {
	cause error
	again time.Time // when it is started again
}

// Error is part of a text that has named the node.
func (r *refusal) Error() string {
	next := "it is being started again"
	if wait := time.Until(r.again); wait > 0 {
		next = fmt.Sprintf("it is started again in %.1fs", wait.Seconds())
	}
	return fmt.Sprintf("it keeps exiting (%v), and %s; its lines in the log say why", r.cause, next)
}

// clearTime bounds how long connections are ended that wait to be accepted.
const clearTime = 20 * time.Millisecond

// refuse lets nobody in until admit is called, and no longer has anybody wait: whoever does finds out why by
// another try.
func (d *door) refuse(cause error, pause time.Duration) {
	d.refusal.Store(&refusal{cause, time.Now().Add(pause)})
	if d.file == nil {
		return
	}
	listener, err := net.FileListener(d.file)
	if err != nil {
		return // they wait for as long as their deadlines let them
	}
	defer listener.Close()
	_ = listener.(*net.TCPListener).SetDeadline(time.Now().Add(clearTime))
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}

func (d *door) admit() { d.refusal.Store(nil) }

func newSocket() (*door, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return nil, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return &door{url: "http://" + listener.Addr().String(), port: port, file: file}, nil
}

// close makes what waits fail.
func (d *door) close() {
	d.gone()
	if d.file != nil {
		_ = d.file.Close()
		return
	}
	d.link.Close()
}

// links are the doors, by the hosts of their URLs.
type links struct {
	mu     sync.Mutex
	made   int
	byHost map[string]*door
}

// listen makes a door that is a socket.
func (l *links) listen() (*door, error) {
	d, err := newSocket()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(d, strings.TrimPrefix(d.url, "http://"))
	return d, nil
}

// open makes a door within this process for a node.
func (l *links) open(node string) *door {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	host := node + "." + strconv.Itoa(l.made) + inProcess
	d := &door{url: (&url.URL{Scheme: "http", Host: host}).String(), link: link.New(host)}
	l.add(d, host)
	return d
}

// add makes d one of l, which is locked, until it is gone.
func (l *links) add(d *door, host string) {
	if l.byHost == nil {
		l.byHost = map[string]*door{}
	}
	l.byHost[host] = d
	d.gone = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.byHost, host)
	}
}

// find returns the door of a host that is one of l, nil otherwise.
func (l *links) find(host string) *door {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byHost[host]
}

// Dial implements httpclient.Near.
func (l *links) Dial(host string) (net.Conn, error) {
	if found := l.find(host); found != nil {
		if refusal := found.refusal.Load(); refusal != nil {
			return nil, &net.OpError{Op: "dial", Net: "node", Err: refusal}
		}
		if found.link == nil {
			return nil, nil
		}
		return found.link.Dial()
	}
	if strings.HasSuffix(host, inProcess) {
		return nil, &net.OpError{Op: "dial", Net: "link", Err: errAway}
	}
	return nil, nil
}

// Handler implements httpclient.Near.
func (l *links) Handler(host string) (http.Handler, context.Context, func()) {
	if found := l.find(host); found != nil && found.link != nil {
		return found.link.Handler()
	}
	return nil, nil, nil
}

// dial connects to d, whatever the address.
func (d *door) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if d.link != nil {
		return d.link.Dial()
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
