package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"krt.dev/kn-krt/test/bench/verbatim"
)

// kilobyte is the text that is sent.
var kilobyte = strings.Repeat("x", 1<<10)

// method is the rpc, and the path, that all peers serve.
const method = "/bench.Echo/Echo"

// callers is the most that call at the same time.
const callers = 16

// idleTime is how long an unused connection is kept.
const idleTime = 500 * time.Millisecond

// call sends one request and checks the response. Worker, from 0, is who calls: one at a time.
type call func(ctx context.Context, worker int) error

// load has workers call one request after the other for the given time, and returns how many
// requests there were.
func load(ctx context.Context, workers int, span time.Duration, c call) (requests int, took time.Duration, err error) {
	counts, errs := make([]int, workers), make([]error, workers)
	var all sync.WaitGroup
	began := time.Now()
	for i := range workers {
		all.Go(func() {
			for errs[i] == nil && time.Since(began) < span {
				errs[i] = c(ctx, i)
				counts[i]++
			}
		})
	}
	all.Wait()
	for _, n := range counts {
		requests += n
	}
	return requests, time.Since(began), errors.Join(errs...)
}

// textMessage is an encoded message with the text in field 1.
func textMessage() []byte {
	n := len(kilobyte)
	return append([]byte{0x0a, byte(n) | 0x80, byte(n >> 7)}, kilobyte...)
}

// callJSON posts the text as JSON on a kept connection for each worker, and wants it back.
func callJSON(address string) call {
	body := `{"text":"` + kilobyte + `"}`
	head := "POST " + method + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nContent-Length: " +
		fmt.Sprint(len(body)) + "\r\n\r\n"
	return callBytes(address, []byte(head+body), []byte(kilobyte))
}

// callBytes sends request, and wants a response that contains text.
func callBytes(address string, request, text []byte) call {
	type kept struct {
		net.Conn
		read *bufio.Reader
		used time.Time
	}
	var conns [callers]*kept
	return func(ctx context.Context, worker int) (err error) {
		c := conns[worker]
		if c != nil && time.Since(c.used) > idleTime { // the peer may be about to close it
			_ = c.Close()
			c = nil
		}
		if c == nil {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			c = &kept{Conn: conn, read: bufio.NewReaderSize(conn, 16<<10)}
			conns[worker] = c
		}
		defer func() {
			if err != nil {
				conns[worker] = nil
				_ = c.Close()
			}
		}()
		if _, err = c.Write(request); err != nil {
			return err
		}
		res, err := http.ReadResponse(c.read, nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		got, err := io.ReadAll(res.Body)
		c.used = time.Now()
		if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(got, text)) {
			err = fmt.Errorf("status %s, %d bytes without what was sent", res.Status, len(got))
		}
		return err
	}
}

// callGRPC calls the rpc by one connection, as clients do, and wants body back.
func callGRPC(address string, body []byte) (call, error) { return callMethod(address, method, body) }

func callMethod(address, name string, body []byte) (call, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(verbatim.Codec{})))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ int) error {
		var got []byte
		if err := conn.Invoke(ctx, name, &body, &got); err != nil {
			return err
		}
		if !bytes.Equal(got, body) {
			return fmt.Errorf("a response of %d bytes, not what was sent", len(got))
		}
		return nil
	}, nil
}
