//go:build !linux

package promptio

import "net"

// TCP is a TCP connection. On Linux its reads and writes are prompt.
type TCP struct{ *net.TCPConn }

// NewTCP returns c.
func NewTCP(c *net.TCPConn) (*TCP, error) { return &TCP{c}, nil }

// Unix is a connection of a Unix socket. On Linux its reads and writes are prompt.
type Unix struct{ *net.UnixConn }

// NewUnix returns c.
func NewUnix(c *net.UnixConn) (*Unix, error) { return &Unix{c}, nil }
