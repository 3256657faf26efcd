package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/test/jetstream"
)

// What is asked over a connection that is lost ends with it: there will be no response.
func TestLostConnectionEndsWhatWasAsked(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	way := newSilent(t, strings.TrimPrefix(s.ClientURL(), "nats://"))
	c := ensured(t, queue.Settings{URL: "nats://" + way.l.Addr().String()})
	n := 0
	ask := func(begin func() error) (err error) {
		eventually(t, func() error { _, err := c.Bytes(t.Context()); return err }) // it has a connection
		way.on.Store(true)
		done := make(chan error)
		go func() { done <- begin() }()
		select {
		case <-way.asked:
			way.cut()
			err = <-done
		case err = <-done: // there is no connection yet
			way.on.Store(false)
		}
		return err
	}
	for _, try := range map[string]func() error{
		"publish": func() error {
			return ask(func() error { return c.Publish(t.Context(), message(second, fmt.Sprint("second", n), "x")) })
		},
		"read": func() error {
			return ask(func() error { _, err := c.Bytes(t.Context()); return errors.Unwrap(err) })
		},
		"acknowledge": func() error {
			eventually(t, func() error { return c.Publish(t.Context(), message(first, fmt.Sprint("first", n), "x")) })
			r := fetchOne(t, c, first)
			return ask(func() error { return r.Ack(t.Context()) })
		},
	} {
		eventually(t, func() error {
			n++
			err := try() // which may have ended otherwise, on a busy machine
			if !client.Lost(err) || fmt.Sprint(err) != "the connection to it was lost before it responded" {
				return fmt.Errorf("it has ended with: %w", err)
			}
			return nil
		})
	}
}

// silent is a way to a server. While it is on, nothing comes back, until all connections are cut.
type silent struct {
	l     net.Listener
	on    atomic.Bool
	asked chan struct{} // gets something when something is published meanwhile

	mu    sync.Mutex
	conns []net.Conn
}

func newSilent(t *testing.T, to string) *silent {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &silent{l: l, asked: make(chan struct{}, 1)}
	t.Cleanup(func() { _ = l.Close(); w.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			go func() { _, _ = io.Copy(out, io.TeeReader(in, w)) }()
			go func() { _, _ = io.Copy(in, &silenced{out, &w.on}) }()
		}
	}()
	return w
}

// Write implements io.Writer: it gets what the client sends.
func (w *silent) Write(p []byte) (int, error) {
	if w.on.Load() && bytes.Contains(p, []byte("PUB ")) {
		select {
		case w.asked <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// cut ends all connections, and lets the next ones through.
func (w *silent) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
	w.on.Store(false)
	select {
	case <-w.asked:
	default:
	}
}

// silenced drops what is read while it is off.
type silenced struct {
	io.Reader
	off *atomic.Bool
}

// Read implements io.Reader.
func (s *silenced) Read(p []byte) (int, error) {
	for {
		n, err := s.Reader.Read(p)
		if err != nil || !s.off.Load() {
			return n, err
		}
	}
}
