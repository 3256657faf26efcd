package link

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bufferBytes is how much may be sent that has not been read.
const bufferBytes = 64 << 10

// conn is one end of a connection.
type conn struct {
	name    address
	in, out *stream
}

// pair returns the two ends of a connection.
func pair(name address) (near, far *conn) {
	one, other := newStream(), newStream()
	return &conn{name, one, other}, &conn{name, other, one}
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) { return c.wrap("read", c.in.read, p) }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) { return c.wrap("write", c.out.write, p) }

func (c *conn) wrap(what string, do func([]byte) (int, error), p []byte) (int, error) {
	n, err := do(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &net.OpError{Op: what, Net: c.name.Network(), Addr: c.name, Err: err}
	}
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.in.abandon()
	c.out.end()
	return nil
}

// Quiet reports whether nothing can be read: neither bytes nor the end.
func (c *conn) Quiet() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return len(c.in.unread()) == 0 && !c.in.ended && !c.in.abandoned
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.name }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.name }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.in.limit(&c.in.readBy, t)
	c.out.limit(&c.out.writeBy, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.limit(&c.in.readBy, t)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.limit(&c.out.writeBy, t)
	return nil
}

// stream is one direction of a connection.
type stream struct {
	mu        sync.Mutex
	changed   sync.Cond // any of the fields below
	buffer    []byte    // of which the first taken bytes have been read
	taken     int
	ended     bool // nothing more is written
	abandoned bool // nothing more is read
	readBy    deadline
	writeBy   deadline
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

// unread is what has been written and not been read.
func (s *stream) unread() []byte { return s.buffer[s.taken:] }

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.abandoned:
			return 0, net.ErrClosed
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(s.unread()) > 0:
			n := copy(p, s.unread())
			s.take(n)
			return n, nil
		case s.ended:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

// take removes the next n bytes. A connection that carries nothing holds no buffer.
func (s *stream) take(n int) {
	full := len(s.unread()) == bufferBytes
	if s.taken += n; s.taken == len(s.buffer) {
		s.buffer, s.taken = s.buffer[:0], 0
		if cap(s.buffer) > keptBytes {
			s.buffer = nil
		}
	}
	if full {
		s.changed.Broadcast()
	}
}

// keptBytes is how large a buffer without content may be that is used again.
const keptBytes = 4 << 10

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch room := bufferBytes - len(s.unread()); {
		case s.ended:
			return n, net.ErrClosed
		case s.abandoned:
			return n, io.ErrClosedPipe
		case s.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case n == len(p):
			return n, nil
		case room > 0:
			some := p[n:min(len(p), n+room)]
			if s.taken > 0 && len(s.buffer)+len(some) > cap(s.buffer) {
				s.buffer = s.buffer[:copy(s.buffer, s.unread())]
				s.taken = 0
			}
			s.buffer = append(s.buffer, some...)
			n += len(some)
			s.changed.Broadcast()
			if n == len(p) {
				return n, nil
			}
		default:
			s.changed.Wait()
		}
	}
}

// end is the writer's end: what has been written can still be read.
func (s *stream) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.writeBy.stop()
	s.changed.Broadcast()
}

// abandon is the reader's end.
func (s *stream) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned, s.buffer, s.taken = true, nil, 0
	s.readBy.stop()
	s.changed.Broadcast()
}

// limit sets a deadline of s.
func (s *stream) limit(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = t
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		s.changed.Broadcast()
	case d.timer == nil:
		d.timer, d.fires = time.AfterFunc(left, func() { s.fire(d) }), t
	case d.fires.IsZero() || t.Before(d.fires):
		d.timer.Reset(left)
		d.fires = t
	}
}

// fire is called when d's timer ends, which may be set again for a later deadline only now:
// most deadlines are moved before they pass, and setting a timer costs more than that.
func (s *stream) fire(d *deadline) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.fires = time.Time{}
	if d.passed() {
		s.changed.Broadcast()
		return
	}
	if !d.at.IsZero() && !s.ended && !s.abandoned {
		d.fires = d.at
		d.timer.Reset(time.Until(d.at))
	}
}

// deadline is when reading or writing ends.
type deadline struct {
	at    time.Time // zero: never
	timer *time.Timer
	fires time.Time // when the timer does; zero: it does not
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}
