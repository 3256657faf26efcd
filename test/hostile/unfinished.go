package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
)

// largest is the size of the largest message that an entrypoint takes.
const largest = 4 << 20

// messagesWithoutTheirEnd sends as much of the largest messages as it may, and
// never the last byte: 1,000 streams on connections of 60 and of 500 to the gRPC
// port, 200 streams and 100 connections to the web port. If all were held, it
// would be 5 GiB.
func messagesWithoutTheirEnd(ctx context.Context, t *target) string {
	var came atomic.Int64
	streams := func(address, contentType string, connections, streams int) {
		each(connections, func(int) {
			protocols := new(http.Protocols)
			protocols.SetUnencryptedHTTP2(true)
			client := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			}}
			defer client.CloseIdleConnections()
			each(streams, func(int) {
				// A stream that is ended is begun again.
				for ctx.Err() == nil {
					body := &endless{ctx: ctx, head: message(0, largest, nil), left: largest - 1, came: &came}
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+t.method, body)
					if err != nil {
						return
					}
					req.Header.Set("Content-Type", contentType)
					req.Header.Set("Te", "trailers")
					if res, err := client.RoundTrip(req); err == nil {
						_, _ = io.Copy(io.Discard, res.Body)
						_ = res.Body.Close()
					}
				}
			})
		})
	}
	each(4, func(i int) {
		switch i {
		case 0:
			streams(t.grpc, "application/grpc", 5, 60)
		case 1:
			streams(t.grpc, "application/grpc", 2, 350)
		case 2:
			streams(t.web, "application/grpc-web+proto", 4, 50)
		case 3:
			each(100, func(int) { unfinishedBody(ctx, t, &came) })
		}
	})
	return fmt.Sprintf("1,200 messages of 4 MiB without their last byte, begun again when they were refused: %d MiB sent", came.Load()>>20)
}

// unfinishedBody sends a body of HTTP/1.1 but for its last byte.
func unfinishedBody(ctx context.Context, t *target, came *atomic.Int64) {
	for ctx.Err() == nil {
		conn, err := dialPlain(ctx, t.web)
		if err != nil {
			return
		}
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
			t.method, largest)
		n, _ := io.Copy(conn, io.LimitReader(&endless{ctx: ctx, left: largest - 1}, largest-1))
		came.Add(n)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
}

// endless is a body of head and left more bytes that does not end then.
type endless struct {
	ctx  context.Context
	head []byte
	left int
	came *atomic.Int64
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left == 0 {
		<-e.ctx.Done()
		return 0, io.ErrUnexpectedEOF
	}
	n := min(len(p), e.left)
	copy(p[:n], bytes.Repeat([]byte{0}, n))
	e.left -= n
	if e.came != nil {
		e.came.Add(int64(n))
	}
	return n, nil
}
