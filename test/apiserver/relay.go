package apiserver

import (
	"context"
	"io"
	"net"
	"sync"

	"krt.dev/kn-krt/test/freeport"
)

// Relay passes connections on to an apiserver while it is started: it plays one that goes
// away and comes back.
type Relay struct {
	// To is the apiserver's host and port.
	To string

	mu       sync.Mutex
	at       string
	listener net.Listener
	open     []net.Conn
}

// Address is where connections are accepted: the same after each start.
func (r *Relay) Address() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// Start accepts connections, the first time on a free port of 127.0.0.1.
func (r *Relay) Start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at == "" {
		var err error
		if r.at, err = freeport.Address(context.Background(), "127.0.0.1"); err != nil { // nobody takes it while it is cut
			return err
		}
	}
	listener, err := net.Listen("tcp", r.at)
	if err != nil {
		return err
	}
	r.listener = listener
	go r.accept(listener)
	return nil
}

func (r *Relay) accept(listener net.Listener) {
	for {
		in, err := listener.Accept()
		if err != nil {
			return
		}
		out, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", r.To)
		if err != nil {
			_ = in.Close()
			continue
		}
		if !r.keep(listener, in, out) {
			_, _ = in.Close(), out.Close()
			continue
		}
		go func() { _, _ = io.Copy(out, in) }()
		go func() { _, _ = io.Copy(in, out) }()
	}
}

// keep notes a connection to be cut, unless it has been cut meanwhile.
func (r *Relay) keep(listener net.Listener, in, out net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != listener {
		return false
	}
	r.open = append(r.open, in, out)
	return true
}

// Cut closes all connections and accepts no more.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		_ = r.listener.Close()
	}
	r.listener = nil
	for _, connection := range r.open {
		_ = connection.Close()
	}
	r.open = nil
}
