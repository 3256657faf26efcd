package hostile

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// target is where an entrypoint listens, and one rpc of it.
type target struct {
	grpc, web, reply string
	method           string
}

func (t *target) all() []string { return []string{t.grpc, t.web, t.reply} }

// attack is one kind of hostility. Run goes on until ctx is done and ends all it
// began; it returns what it did, for the record.
type attack struct {
	name string
	run  func(ctx context.Context, t *target) string
	// goroutines bounds what the entrypoint may have besides those of a quiet
	// one, megabytes the memory it may hold in all.
	goroutines, megabytes int
}

func attacks() []attack {
	return []attack{
		{"10,000 streams on one connection", manyStreams, 7500, 256},
		{"rapid reset", rapidReset, 9000, 256},
		{"ping flood", pingFlood, 500, 256},
		{"17 MiB of headers", hugeHeaders, 500, 256},
		{"one byte a second", drippingBytes, 3500, 256},
		{"gzip bombs", gzipBombs, 500, 384},
		{"huge declared lengths", hugeLengths, 6000, 256},
		{"connections that rest", restingConnections, 7500, 320},
		{"watchers of the health", watchers, 7500, 256},
		{"callers that read no answer", deafCallers, 3500, 320},
		{"messages without their end", messagesWithoutTheirEnd, 7500, 448},
	}
}

// manyStreams opens 10,000 streams on one connection to each port and ends none.
func manyStreams(ctx context.Context, t *target) string {
	ports := t.all()
	each(len(ports), func(i int) {
		c, err := dial(ctx, ports[i], false)
		if err != nil {
			return
		}
		defer c.Close()
		for range 10_000 {
			if _, err := c.open(t.method); err != nil {
				break
			}
		}
		<-ctx.Done()
	})
	return "3 connections of 10,000 streams"
}

// rapidReset sends whole requests and resets each at once (CVE-2023-44487).
func rapidReset(ctx context.Context, t *target) string {
	ports := t.all()
	body := message(0, 4, []byte{0x0a, 2, 'h', 'i'})
	var sent [3]int
	each(len(ports), func(i int) {
		for ctx.Err() == nil {
			c, err := dial(ctx, ports[i], false)
			if err != nil {
				continue
			}
			for err == nil && !c.gone.Load() {
				var stream uint32
				if stream, err = c.open(t.method); err == nil {
					_ = c.framer.WriteData(stream, true, body)
					err = c.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
					sent[i]++
				}
			}
			_ = c.Close()
		}
	})
	return fmt.Sprintf("%d, %d and %d streams begun and reset on the three ports", sent[0], sent[1], sent[2])
}

// pingFlood sends pings and reads none of the answers.
func pingFlood(ctx context.Context, t *target) string {
	ports := t.all()
	var sent [3]int
	each(len(ports), func(i int) {
		for ctx.Err() == nil {
			c, err := dial(ctx, ports[i], true)
			for err == nil {
				if err = c.framer.WritePing(false, [8]byte{1}); err == nil {
					sent[i]++
				}
			}
			if c != nil {
				_ = c.Close()
			}
		}
	})
	return fmt.Sprintf("%d, %d and %d pings on the three ports", sent[0], sent[1], sent[2])
}

// hugeHeaders sends header blocks of 17 MiB: HTTP/2 continuations everywhere,
// HTTP/1.1 lines where that is spoken.
func hugeHeaders(ctx context.Context, t *target) string {
	chunk := bytes.Repeat([]byte{'x'}, 16<<10)
	ports := t.all()
	n := repeat(ctx, 3, func(ctx context.Context) error {
		for _, port := range ports {
			c, err := dial(ctx, port, false)
			if err != nil {
				return err
			}
			block := c.headers(t.method, "application/grpc", "x-long", strings.Repeat("x", 15<<10))
			err = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
			for i := 0; i < 17<<20 && err == nil; i += len(block) {
				block = c.headers(t.method, "application/grpc", fmt.Sprint("x-long-", i), string(chunk[:15<<10]))
				err = c.framer.WriteContinuation(1, false, block)
			}
			_ = c.Close()
		}
		for _, port := range []string{t.web, t.reply} {
			conn, err := dialPlain(ctx, port)
			if err != nil {
				return err
			}
			_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
			for i := 0; i < 17<<20 && err == nil; i += len(chunk) {
				_, err = conn.Write(chunk)
			}
			_ = conn.Close()
		}
		return nil
	})
	return fmt.Sprintf("%d times 17 MiB to each port", n)
}

// drippingBytes keeps 500 connections to the web port, 100 to the reply port
// and 300 streams to the gRPC port alive by a byte a second: of a request's
// head, of its body, of a frame.
func drippingBytes(ctx context.Context, t *target) string {
	heads := []string{
		"POST " + t.method + " HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"POST " + t.method + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n",
	}
	each(900, func(i int) {
		port, first := t.web, heads[i%2]
		switch {
		case i >= 600:
			drippingStream(ctx, t, i)
			return
		case i >= 500:
			port = t.reply
		}
		conn, err := dialPlain(ctx, port)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, first)
		drip(ctx, conn, 'x', time.Second)
	})
	return "500 connections on the web port, 100 on the reply port, 300 on the gRPC port"
}

// drippingStream sends a preface or a message slowly.
func drippingStream(ctx context.Context, t *target, i int) {
	if i%2 == 0 {
		if conn, err := dialPlain(ctx, t.grpc); err == nil {
			defer conn.Close()
			_, _ = io.WriteString(conn, http2.ClientPreface[:10])
			drip(ctx, conn, 'x', time.Second)
		}
		return
	}
	c, err := dial(ctx, t.grpc, false)
	if err != nil {
		return
	}
	defer c.Close()
	stream, err := c.open(t.method)
	_ = c.framer.WriteData(stream, false, message(0, 1000, nil))
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
			err = c.framer.WriteData(stream, false, []byte{0})
		}
	}
}

// bomb is 64 MiB of zeros, compressed to a thousandth.
func bomb() []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, 1<<20)) // to memory
	_ = w.Close()
	return bytes.Repeat(b.Bytes(), 64) // members of a gzip file follow each other
}

// gzipBombs sends bombs as gRPC messages and as JSON.
func gzipBombs(ctx context.Context, t *target) string {
	compressed := bomb()
	n := repeat(ctx, 8, func(ctx context.Context) error {
		c, err := dial(ctx, t.grpc, false)
		if err != nil {
			return err
		}
		defer c.Close()
		stream, err := c.open(t.method, "grpc-encoding", "gzip")
		rest := message(1, uint32(len(compressed)), compressed)
		for len(rest) > 0 && err == nil {
			part := rest[:min(len(rest), 16<<10)]
			rest = rest[len(part):]
			err = c.framer.WriteData(stream, len(rest) == 0, part)
		}
		conn, err := dialPlain(ctx, t.web)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"+
			"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", t.method, len(compressed))
		_, _ = conn.Write(compressed)
		_, err = io.Copy(io.Discard, conn)
		return err
	})
	return fmt.Sprintf("%d times 64 MiB as %d KiB to the gRPC and the web port", n, len(compressed)>>10)
}

// hugeLengths declares sizes from just below the limit to 1 TiB, and sends a few
// bytes of them.
func hugeLengths(ctx context.Context, t *target) string {
	go manyEnvelopes(ctx, t)
	each(600, func(i int) {
		if i%3 == 0 {
			c, err := dial(ctx, t.grpc, false)
			if err != nil {
				return
			}
			defer c.Close()
			if stream, err := c.open(t.method); err == nil {
				_ = c.framer.WriteData(stream, false, message(0, []uint32{4 << 20, 1<<32 - 1}[i/3%2], []byte("few")))
			}
			<-ctx.Done()
			return
		}
		port := []string{t.web, t.reply}[i%2]
		path := []string{t.method, "/", "/workflows/flow-0", "/reply", "/dead-letter"}[i%5]
		kind := []string{"application/json", "application/proto", "application/cloudevents+json", "application/grpc-web"}[i%4]
		conn, err := dialPlain(ctx, port)
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nConnect-Protocol-Version: 1\r\n"+
			"Ce-Specversion: 1.0\r\nCe-Id: 1\r\nCe-Source: /x\r\nCe-Type: x\r\nContent-Length: %d\r\n\r\nfew",
			path, kind, []int64{4 << 20, 1 << 40}[i%2])
		<-ctx.Done()
	})
	return "200 connections to each port that declare 4 MiB or far more, and send 3 bytes; 1,000 such streams of gRPC-Web on one"
}

// manyEnvelopes declares messages of 4 MiB on a thousand streams of the web port.
func manyEnvelopes(ctx context.Context, t *target) {
	c, err := dial(ctx, t.web, false)
	if err != nil {
		return
	}
	defer c.Close()
	for range 1000 {
		stream, err := c.openAs(t.method, "application/grpc-web+proto")
		if err != nil {
			return
		}
		_ = c.framer.WriteData(stream, false, message(0, 4<<20, []byte("few")))
	}
	<-ctx.Done()
}

// dialPlain connects by TCP; what is blocked ends with ctx.
func dialPlain(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	}
	return conn, err
}
