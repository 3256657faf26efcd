package hostile

import (
	"context"
	"crypto/rand"
	"fmt"
)

// deafCallers ask for large answers, compressed or not, and read none.
func deafCallers(ctx context.Context, t *target) string {
	data := append([]byte{0x0a, 0x80, 0x80, 0x40}, make([]byte, 1<<20)...)
	_, _ = rand.Read(data[4:]) // so that compressing makes it no smaller
	each(40, func(i int) {
		if i%2 == 0 {
			conn, err := dialPlain(ctx, t.web)
			if err != nil {
				return
			}
			defer conn.Close()
			for ctx.Err() == nil && err == nil {
				_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\n"+
					"Connect-Protocol-Version: 1\r\nContent-Length: %d\r\n\r\n", t.method, len(data))
				_, err = conn.Write(data)
			}
			return
		}
		c, err := dial(ctx, t.grpc, true)
		if err != nil {
			return
		}
		defer c.Close()
		for err == nil {
			var stream uint32
			stream, err = c.open(t.method, "grpc-encoding", []string{"identity", "gzip"}[i/2%2])
			rest := message(0, uint32(len(data)), data)
			for len(rest) > 0 && err == nil {
				part := rest[:min(len(rest), 16<<10)]
				rest = rest[len(part):]
				err = c.framer.WriteData(stream, len(rest) == 0, part)
			}
		}
	})
	return "20 connections to the gRPC and the web port that ask for answers of 1 MiB and read none"
}
