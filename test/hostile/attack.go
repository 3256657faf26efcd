// Package hostile sends an entrypoint what no good caller would: floods,
// half-finished requests, oversized and compressed ones. Its test watches what
// becomes of good callers, memory and goroutines meanwhile and afterwards.
package hostile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// client is one hostile HTTP/2 connection. What the server sends is read and
// thrown away, unless the client is deaf.
type client struct {
	net.Conn
	framer *http2.Framer
	head   bytes.Buffer
	coder  *hpack.Encoder
	stream uint32
	gone   atomic.Bool // the server has closed, or said goodbye
}

// dial connects to address. A deaf client reads nothing.
func dial(ctx context.Context, address string, deaf bool) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// No attack outlives its context, whatever it is blocked in.
	context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	c := &client{Conn: conn, framer: http2.NewFramer(conn, conn), stream: 1}
	c.framer.AllowIllegalWrites = true
	c.coder = hpack.NewEncoder(&c.head)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}); err != nil {
		return nil, err
	}
	if !deaf {
		go c.drain()
	}
	return c, nil
}

// drain reads until the connection ends, and acknowledges settings.
func (c *client) drain() {
	defer c.gone.Store(true)
	reader := http2.NewFramer(io.Discard, c.Conn)
	for {
		f, err := reader.ReadFrame()
		if err != nil && !errors.As(err, new(http2.StreamError)) {
			return
		}
		if _, ok := f.(*http2.GoAwayFrame); ok {
			c.gone.Store(true)
		}
	}
}

// headers returns the header block of a call to path, with more fields.
func (c *client) headers(path, contentType string, more ...string) []byte {
	c.head.Reset()
	fields := append([]string{
		":method", "POST", ":scheme", "http", ":path", path, ":authority", "localhost",
		"content-type", contentType, "te", "trailers",
	}, more...)
	for i := 0; i < len(fields); i += 2 {
		_ = c.coder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // to memory
	}
	return c.head.Bytes()
}

// open begins a gRPC call and leaves it open.
func (c *client) open(path string, more ...string) (stream uint32, err error) {
	return c.openAs(path, "application/grpc", more...)
}

func (c *client) openAs(path, contentType string, more ...string) (stream uint32, err error) {
	stream = c.stream
	c.stream += 2
	return stream, c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: c.headers(path, contentType, more...), EndHeaders: true,
	})
}

// message is a gRPC message frame of data.
func message(compressed byte, length uint32, data []byte) []byte {
	return append([]byte{compressed, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}, data...)
}

// repeat runs attack on fresh connections from workers goroutines until ctx is
// done: a server that ends a connection is met by the next one. It returns how
// many there were.
func repeat(ctx context.Context, workers int, attack func(context.Context) error) int64 {
	var count atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				_ = attack(ctx) // that it fails is what the server is for
				count.Add(1)
			}
		})
	}
	all.Wait()
	return count.Load()
}

// each runs attack once for each of count connections at once, and waits.
func each(count int, attack func(i int)) {
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() { attack(i) })
	}
	all.Wait()
}

// drip writes one byte each tick until ctx is done or the server closes.
func drip(ctx context.Context, conn net.Conn, b byte, tick time.Duration) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}
}
