package promptio

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

const (
	// maxSmall is the size in bytes up to which data is written without the scheduler's knowledge,
	// and of the largest such read.
	maxSmall = 16 << 10
	// minRoom is from how many bytes on a read that gets as much as it has room for shows that
	// there is more.
	minRoom = 1 << 10
)

// TCP is a TCP connection with prompt reads and writes.
type TCP struct {
	*net.TCPConn
	ends *ends
}

// NewTCP returns c with prompt reads and writes.
func NewTCP(c *net.TCPConn) (*TCP, error) {
	e, err := newEnds(c, c)
	return &TCP{c, e}, err
}

// Read implements net.Conn.
func (c *TCP) Read(p []byte) (int, error) { return c.ends.read(p) }

// Write implements net.Conn.
func (c *TCP) Write(p []byte) (int, error) { return c.ends.write(p) }

// Unix is a connection of a Unix socket, a stream, with prompt reads and writes.
type Unix struct {
	*net.UnixConn
	ends *ends
}

// NewUnix returns c with prompt reads and writes.
func NewUnix(c *net.UnixConn) (*Unix, error) {
	e, err := newEnds(c, c)
	return &Unix{c, e}, err
}

// Read implements net.Conn.
func (c *Unix) Read(p []byte) (int, error) { return c.ends.read(p) }

// Write implements net.Conn.
func (c *Unix) Write(p []byte) (int, error) { return c.ends.write(p) }

// Quiet reports whether nothing can be read from a socket that does not block: neither bytes nor its end.
func Quiet(fd uintptr) bool {
	var b [1]byte
	_, err := read(fd, b[:])
	return err == syscall.EAGAIN
}

// ends are both directions of a connection.
type ends struct {
	conn    net.Conn
	raw     syscall.RawConn
	in, out end
	more    bool // there is probably more to read; guarded by in
}

// end is one direction: the call that is being made.
type end struct {
	sync.Mutex
	try  func(fd uintptr) bool
	data []byte
	n    int
	err  syscall.Errno
}

func newEnds(c net.Conn, of syscall.Conn) (*ends, error) {
	raw, err := of.SyscallConn()
	if err != nil {
		return nil, err
	}
	e := &ends{conn: c, raw: raw}
	e.in.try = func(fd uintptr) bool { return e.in.call(read, fd) }
	e.out.try = func(fd uintptr) bool { return e.out.call(write, fd) }
	return e, nil
}

// call makes a system call; false if it would block.
func (e *end) call(function func(fd uintptr, data []byte) (int, syscall.Errno), fd uintptr) bool {
	for {
		n, err := function(fd, e.data)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		e.n, e.err = n, err
		return true
	}
}

// run makes the calls of by, which waits until e can go on.
func (e *end) run(by func(func(uintptr) bool) error, data []byte) (int, error) {
	e.data, e.n, e.err = data, 0, 0
	err := by(e.try)
	e.data = nil
	switch {
	case err != nil:
		return 0, err
	case e.err != 0:
		return 0, e.err
	}
	return e.n, nil
}

func (e *ends) read(p []byte) (int, error) {
	e.in.Lock()
	defer e.in.Unlock()
	if len(p) == 0 || e.more {
		n, err := e.conn.Read(p)
		e.more = err == nil && n == len(p)
		return n, err
	}
	p = p[:min(len(p), maxSmall)]
	n, err := e.in.run(e.raw.Read, p)
	switch {
	case err != nil:
		return 0, e.failed("read", err)
	case n == 0:
		return 0, io.EOF
	}
	e.more = n == len(p) && n >= minRoom
	return n, nil
}

func (e *ends) write(p []byte) (int, error) {
	e.out.Lock() // between the parts of a small one, too
	defer e.out.Unlock()
	if len(p) == 0 || len(p) > maxSmall {
		return e.conn.Write(p)
	}
	for done := 0; ; {
		n, err := e.out.run(e.raw.Write, p[done:])
		done += n
		switch {
		case err != nil:
			return done, e.failed("write", err)
		case done == len(p):
			return done, nil
		}
	}
}

// failed returns err as the connection's own methods do.
func (e *ends) failed(op string, err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		err = os.NewSyscallError(op, number)
	}
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: e.conn.LocalAddr().Network(), Source: e.conn.LocalAddr(), Addr: e.conn.RemoteAddr(), Err: err}
}
