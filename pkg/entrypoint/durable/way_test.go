package durable_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// way is a replica's own way to the queue, which can be cut.
type way struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	gone  bool
	shut  bool // for a while
	conns []net.Conn
	// refused counts connections that were not let through.
	refused atomic.Int64
}

func newWay(t testing.TB, to string) *way {
	w := &way{l: listen(t, "127.0.0.1:0"), to: to}
	go w.run()
	t.Cleanup(w.cut)
	return w
}

func (w *way) run() {
	for {
		in, err := w.l.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		shut := w.shut
		w.mu.Unlock()
		if shut {
			w.refused.Add(1)
			_ = in.Close()
			continue
		}
		out, err := new(net.Dialer).DialContext(context.Background(), "tcp", w.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, in, out)
		gone := w.gone
		w.mu.Unlock()
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
				_ = pair[1].Close()
			}()
		}
		if gone {
			w.cut()
		}
	}
}

// pause breaks all connections, and lets none through until it is called with false.
func (w *way) pause(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut = on; on {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
}

// cut ends all connections, and there are no new ones: for the server, the replica has died.
func (w *way) cut() {
	_ = w.l.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	for _, c := range w.conns {
		_ = c.Close()
	}
}
