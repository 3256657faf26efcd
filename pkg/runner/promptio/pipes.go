package promptio

import (
	"errors"
	"os"
	"time"
)

// pipes are the files of a connection of two pipes.
type pipes struct{ in, out *os.File }

// SetDeadline is that of net.Conn.
func (p *pipes) SetDeadline(t time.Time) error {
	return errors.Join(p.in.SetReadDeadline(t), p.out.SetWriteDeadline(t))
}

// Close closes both.
func (p *pipes) Close() error { return errors.Join(p.in.Close(), p.out.Close()) }
