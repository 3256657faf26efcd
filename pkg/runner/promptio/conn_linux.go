package promptio

import (
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
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &TCP{c, newEnds(c, c, raw, raw, func(op string, err error) error { return failed(c, op, err) })}, nil
}

// Read implements net.Conn.
func (c *TCP) Read(p []byte) (int, error) { return c.ends.read(p) }

// Write implements net.Conn.
func (c *TCP) Write(p []byte) (int, error) { return c.ends.write(p) }

// Pipes is a connection of two pipes with prompt reads and writes.
type Pipes struct {
	pipes
	ends *ends
}

// NewPipes returns a connection that reads from in and writes to out, which do not block.
func NewPipes(in, out *os.File) (*Pipes, error) {
	rawIn, err := in.SyscallConn()
	if err != nil {
		return nil, err
	}
	rawOut, err := out.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Pipes{pipes{in, out}, newEnds(in, out, rawIn, rawOut, os.NewSyscallError)}, nil
}

// Read implements io.Reader.
func (p *Pipes) Read(data []byte) (int, error) { return p.ends.read(data) }

// Write implements io.Writer.
func (p *Pipes) Write(data []byte) (int, error) { return p.ends.write(data) }

// Quiet reports whether nothing can be read from a socket that does not block: neither bytes nor its end.
func Quiet(fd uintptr) bool {
	var b [1]byte
	_, err := read(fd, b[:])
	return err == syscall.EAGAIN
}

// ends are both directions of a connection.
type ends struct {
	reader  io.Reader
	writer  io.Writer
	in, out end
	more    bool                             // there is probably more to read; guarded by in
	failed  func(op string, err error) error // makes the error of a call that of the connection's own method
}

// end is one direction: the call that is being made.
type end struct {
	sync.Mutex
	wait func(try func(fd uintptr) bool) error // calls try until it does not block
	try  func(fd uintptr) bool
	data []byte
	n    int
	err  syscall.Errno
}

func newEnds(r io.Reader, w io.Writer, rawIn, rawOut syscall.RawConn, failed func(string, error) error) *ends {
	e := &ends{reader: r, writer: w, failed: failed}
	e.in.wait, e.out.wait = rawIn.Read, rawOut.Write
	e.in.try = func(fd uintptr) bool { return e.in.call(read, fd) }
	e.out.try = func(fd uintptr) bool { return e.out.call(write, fd) }
	return e
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

// run makes the call, and waits until it can be made.
func (e *end) run(data []byte) (int, error) {
	e.data, e.n, e.err = data, 0, 0
	err := e.wait(e.try)
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
		n, err := e.reader.Read(p)
		e.more = err == nil && n == len(p)
		return n, err
	}
	p = p[:min(len(p), maxSmall)]
	n, err := e.in.run(p)
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
		return e.writer.Write(p)
	}
	for done := 0; ; {
		n, err := e.out.run(p[done:])
		done += n
		switch {
		case err != nil:
			return done, e.failed("write", err)
		case done == len(p):
			return done, nil
		}
	}
}

// failed returns err as the methods of c do. It is made with each request of HTTP/1, whose server ends a read by a
// deadline.
func failed(c net.Conn, op string, err error) error {
	switch e := err.(type) { //nolint:errorlint // it is one of these two, not wrapped
	case syscall.Errno:
		err = os.NewSyscallError(op, e)
	case *net.OpError:
		err = e.Err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
