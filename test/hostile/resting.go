package hostile

import (
	"context"
	"io"
)

// watchers open 1,000 streams of Health/Watch on each of 7 connections.
func watchers(ctx context.Context, t *target) string {
	each(7, func(int) {
		c, err := dial(ctx, t.grpc, false)
		if err != nil {
			return
		}
		defer c.Close()
		for range 1000 {
			stream, err := c.open("/grpc.health.v1.Health/Watch")
			if err != nil {
				return
			}
			_ = c.framer.WriteData(stream, true, message(0, 0, nil))
		}
		<-ctx.Done()
	})
	return "1,000 streams of Health/Watch on each of 20 connections"
}

// restingConnections keeps 1,200 connections to each port that have had an answer.
func restingConnections(ctx context.Context, t *target) string {
	ports := t.all()
	each(3*1200, func(i int) {
		port := ports[i%3]
		if port == t.grpc {
			if c, err := dial(ctx, port, false); err == nil {
				defer c.Close()
				<-ctx.Done()
			}
			return
		}
		conn, err := dialPlain(ctx, port)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		<-ctx.Done()
	})
	return "1,200 connections to each port that rest"
}
