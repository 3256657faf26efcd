package requests

import (
	"context"
	"net"
	"sync"
)

// dial connects to an inspection port. Another server may speak first, as a gRPC server does:
// package http would log that, and report it in one of two ways, depending on whether it has
// sent its request by then. So nothing is read before that.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &asking{Conn: conn, asked: make(chan struct{})}, nil
}

// asking is a connection of which nothing is read before something has been written to it.
type asking struct {
	net.Conn

	once  sync.Once
	asked chan struct{} // closed with the first write, or when the connection is closed
}

func (c *asking) Read(b []byte) (int, error) {
	<-c.asked
	return c.Conn.Read(b)
}

func (c *asking) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.once.Do(func() { close(c.asked) })
	return n, err
}

func (c *asking) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.asked) })
	return err
}
