//go:build !linux

package promptio

import (
	"net"
	"os"
)

// TCP is a TCP connection. On Linux its reads and writes are prompt.
type TCP struct{ *net.TCPConn }

// NewTCP returns c.
func NewTCP(c *net.TCPConn) (*TCP, error) { return &TCP{c}, nil }

// Pipes is a connection of two pipes. On Linux its reads and writes are prompt.
type Pipes struct{ pipes }

// NewPipes returns a connection that reads from in and writes to out.
func NewPipes(in, out *os.File) (*Pipes, error) { return &Pipes{pipes{in, out}}, nil }

// Read implements io.Reader.
func (p *Pipes) Read(data []byte) (int, error) { return p.in.Read(data) }

// Write implements io.Writer.
func (p *Pipes) Write(data []byte) (int, error) { return p.out.Write(data) }
