package local

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"krt.dev/kn-krt/pkg/local/link"
)

// inProcess is the domain of hosts within this process: no resolver has a name in it (RFC 6761), so that
// nothing for a node that has ended gets to another machine.
const inProcess = ".invalid"

// errAway is part of the error of a connection to a door that is closed.
var errAway = errors.New("the node does not run any more; its lines in the log say why")

// door is where a node accepts events: at a socket, or within this process. We hold it as
// long as the node is needed: no other program can take the port while a node is started
// again, and requests that arrive meanwhile wait instead of failing.
type door struct {
	url  string
	port int      // of the socket
	file *os.File // the socket; nil for a link
	link *link.Link
	gone func()
}

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
	if d.file != nil {
		_ = d.file.Close()
		return
	}
	d.gone()
	d.link.Close()
}

// links are the doors within this process, by the hosts of their URLs.
type links struct {
	mu     sync.Mutex
	made   int
	byHost map[string]*link.Link
}

// open makes a door for a node.
func (l *links) open(node string) *door {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	host := node + "." + strconv.Itoa(l.made) + inProcess
	if l.byHost == nil {
		l.byHost = map[string]*link.Link{}
	}
	d := &door{url: (&url.URL{Scheme: "http", Host: host}).String(), link: link.New(host)}
	l.byHost[host] = d.link
	d.gone = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.byHost, host)
	}
	return d
}

// find returns the link of a host that is one of l, nil otherwise.
func (l *links) find(host string) *link.Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byHost[host]
}

// Dial implements httpclient.Near.
func (l *links) Dial(host string) (net.Conn, error) {
	if found := l.find(host); found != nil {
		return found.Dial()
	}
	if strings.HasSuffix(host, inProcess) {
		return nil, &net.OpError{Op: "dial", Net: "link", Err: errAway}
	}
	return nil, nil
}

// Handler implements httpclient.Near.
func (l *links) Handler(host string) (http.Handler, context.Context, func()) {
	if found := l.find(host); found != nil {
		return found.Handler()
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
