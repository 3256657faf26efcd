package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"krt.dev/kn-krt/test/bench/verbatim"
)

// call sends one request and checks its answer. Worker, from 0, is the caller:
// one at a time.
type call func(ctx context.Context, worker int) error

// load has callers call one request after the other for the given time, each with a
// pause after a response, and returns how long each request took.
func load(ctx context.Context, callers int, span, pause time.Duration, c call) ([]time.Duration, error) {
	took := make([][]time.Duration, callers)
	errs := make([]error, callers)
	var all sync.WaitGroup
	end := time.Now().Add(span)
	for i := range callers {
		all.Go(func() {
			for begin := time.Now(); begin.Before(end); {
				if errs[i] = c(ctx, i); errs[i] != nil {
					return
				}
				now := time.Now()
				took[i] = append(took[i], now.Sub(begin))
				if pause > 0 {
					time.Sleep(pause)
					now = time.Now()
				}
				begin = now
			}
		})
	}
	all.Wait()
	var sum []time.Duration
	for i := range callers {
		if errs[i] != nil {
			return nil, errs[i]
		}
		sum = append(sum, took[i]...)
	}
	return sum, nil
}

// payload returns the bytes of a process.Message with size bytes of data.
func payload(size int) []byte {
	head := []byte{0x0a} // field 1, bytes
	for n := size; ; n >>= 7 {
		if n < 0x80 {
			head = append(head, byte(n))
			break
		}
		head = append(head, byte(n)|0x80)
	}
	return append(head, bytes.Repeat([]byte{'x'}, size)...)
}

// dialGRPC connects to an address as a plain client does.
func dialGRPC(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(verbatim.Codec{}), grpc.MaxCallRecvMsgSize(math.MaxInt32)))
}

// callGRPC calls an rpc by one connection with body, and wants it back.
func callGRPC(address, method string, body []byte) (call, error) {
	conn, err := dialGRPC(address)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ int) error {
		var answer []byte
		if err := conn.Invoke(ctx, method, &body, &answer); err != nil {
			return err
		}
		return same(len(answer), len(body))
	}, nil
}

// callHTTP posts body under header with net/http's client, pooled, and wants it
// back.
func callHTTP(address, message string, body []byte) call {
	var fresh header
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}}
	return func(ctx context.Context, _ int) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header = fresh.of(message)
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %s: %w", res.Status, err)
		}
		return same(int(n), len(body))
	}
}

// callBytes posts the same bytes on a connection for each caller: the cheapest
// client, where all that is compared speaks HTTP.
func callBytes(address, message string, body []byte, callers int) (c call, err error) {
	var fresh header
	conns := make([]net.Conn, callers)
	readers := make([]*bufio.Reader, callers)
	for i := range conns {
		if conns[i], err = new(net.Dialer).DialContext(context.Background(), "tcp", address); err != nil {
			return nil, err
		}
		readers[i] = bufio.NewReaderSize(conns[i], 64<<10)
	}
	return func(_ context.Context, worker int) error {
		if _, err := conns[worker].Write(fresh.request(message, body)); err != nil {
			return err
		}
		res, err := http.ReadResponse(readers[worker], nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %s: %w", res.Status, err)
		}
		return same(int(n), len(body))
	}, nil
}

func same(got, want int) error {
	if got != want {
		return fmt.Errorf("the answer has %d bytes, want %d", got, want)
	}
	return nil
}
