package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/test/bench/verbatim"
	"krt.dev/kn-krt/test/process"
)

const (
	// streamMessages is how many messages a stream has, tokenBytes what each holds.
	streamMessages = 100
	tokenBytes     = 32
	// tokenPause is what a model takes for the next one. Without it a server of grpc-go sends
	// many messages at once, which no client of a model ever sees.
	tokenPause = 2 * time.Millisecond
)

// stream: what a message of a stream, sent as tokens come or as fast as they go, costs in the entrypoint
// and in the Go runner that sends it, next to a bare grpc-go proxy and server; and how soon the first
// one comes, next to a unary response through the same nodes.
func (b *bench) stream(ctx context.Context) error {
	for _, c := range []struct {
		callers int
		pause   time.Duration
		bar     float64
	}{{1, tokenPause, 1.5}, {64, tokenPause, 1.5}, {1, 0, 0}, {64, 0, 0}} {
		how := "as fast as they go"
		if c.pause > 0 {
			how = fmt.Sprintf("one in %s", c.pause)
		}
		what := fmt.Sprintf("stream of %d messages of %d B, %s, Direct, c=%d", streamMessages, tokenBytes, how, c.callers)
		all, err := b.streamed(ctx, what, c.callers, c.pause)
		if err != nil {
			return err
		}
		proxy, again, entrypoint, node, runner := &all[0], &all[1], &all[2], &all[3], &all[4]
		b.add(row{what: what + ": entrypoint", against: "a bare grpc-go proxy", of: entrypoint, base: proxy, same: again})
		sender := runner.ratio(node, cpuOf)
		b.add(row{what: what + ": Go runner, CPU", against: "a bare grpc-go server", value: &sender, unit: "×"})
		var ratios []float64
		for i := range entrypoint.samples {
			ours, bare := entrypoint.samples[i].cpu+runner.samples[i].cpu, proxy.samples[i].cpu+node.samples[i].cpu
			ratios = append(ratios, ours/bare)
		}
		both := spreadOf(ratios)
		b.add(row{what: what + ": both, CPU a message", against: "both bare", bar: c.bar, value: &both, unit: "×"})
		each := entrypoint.of(func(s sample) float64 { return s.cpu / streamMessages })
		b.add(row{what: what + ": a message in the entrypoint", value: &each, unit: " µs"})
	}
	return b.firstMessage(ctx)
}

// streamed measures two bare proxies before a bare server, an entrypoint before a Go runner,
// and the server and the runner themselves.
func (b *bench) streamed(ctx context.Context, what string, callers int, pause time.Duration) (all []measured, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	node, err := f.start(ctx, "grpc-stream", streamSettings{Pause: pause})
	if err != nil {
		return nil, err
	}
	var subjects []subject
	for _, name := range []string{"bare proxy", "bare proxy again"} {
		p, err := f.start(ctx, "grpc-stream", streamSettings{To: node.Addresses[0]})
		if err != nil {
			return nil, err
		}
		c, err := callStream(p.Addresses[0], streamMessages)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{name: name, process: p, call: c})
	}
	runner, err := f.start(ctx, "nodes", process.NodesSettings{Count: 1, Messages: streamMessages, Pause: pause})
	if err != nil {
		return nil, err
	}
	p, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(runner.Addresses)}, Streams: true})
	if err != nil {
		return nil, err
	}
	c, err := callStream(p.Addresses[process.GRPC], streamMessages)
	if err != nil {
		return nil, err
	}
	return b.measure(ctx, what, callers, append(subjects, subject{name: "entrypoint", process: p, call: c},
		subject{name: "bare server", process: node, call: subjects[0].call}, subject{name: "Go runner", process: runner, call: c}))
}

// firstMessage compares the time to the first message of a stream with that to a unary response.
func (b *bench) firstMessage(ctx context.Context) (err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	body := payload(tokenBytes)
	nodes, err := f.start(ctx, "nodes", process.NodesSettings{Count: 3, Messages: 1})
	if err != nil {
		return err
	}
	unary, err := f.entrypoint(ctx, nodes.Addresses, body)
	if err != nil {
		return err
	}
	p, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes.Addresses)}, Streams: true})
	if err != nil {
		return err
	}
	first, err := callFirst(p.Addresses[process.GRPC])
	if err != nil {
		return err
	}
	for _, callers := range []int{1, 64} {
		what := fmt.Sprintf("first message through 3 nodes, Direct, c=%d", callers)
		all, err := b.measure(ctx, what, callers, []subject{unary, {name: "stream", process: p, call: first}})
		if err != nil {
			return err
		}
		for name, value := range map[string]func(sample) float64{"p50": p50Of, "p99": p99Of} {
			ratio, bar := all[1].ratio(&all[0], value), 0.0
			if name == "p50" {
				bar = 1.2
			}
			b.add(row{what: what + ": " + name, against: "a unary response", bar: bar, value: &ratio, unit: "×"})
		}
	}
	return nil
}

// callStream calls a streaming rpc by one connection, and wants so many messages.
func callStream(address string, messages int) (call, error) {
	conn, err := dialGRPC(address)
	if err != nil {
		return nil, err
	}
	body := payload(tokenBytes)
	return func(ctx context.Context, _ int) error {
		stream, err := openStream(ctx, conn, process.Method(0), &body)
		if err != nil {
			return err
		}
		for count := 0; ; count++ {
			var message []byte
			err := stream.RecvMsg(&message)
			switch {
			case errors.Is(err, io.EOF) && count == messages:
				return nil
			case errors.Is(err, io.EOF):
				return fmt.Errorf("the stream has %d messages, want %d", count, messages)
			case err == nil:
				err = same(len(message), len(body))
			}
			if err != nil {
				return err
			}
		}
	}, nil
}

// callFirst calls a streaming rpc by one connection, and waits for the first message only: the
// rest is read while the next call runs.
func callFirst(address string) (call, error) {
	conn, err := dialGRPC(address)
	if err != nil {
		return nil, err
	}
	body := payload(tokenBytes)
	return func(ctx context.Context, _ int) error {
		stream, err := openStream(ctx, conn, process.Method(0), &body)
		if err != nil {
			return err
		}
		var message []byte
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		go func() {
			for err := error(nil); err == nil; {
				err = stream.RecvMsg(new([]byte))
			}
		}()
		return same(len(message), len(body))
	}, nil
}

func openStream(ctx context.Context, conn *grpc.ClientConn, method string, body *[]byte) (grpc.ClientStream, error) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err == nil {
		err = stream.SendMsg(body)
	}
	if err == nil {
		err = stream.CloseSend()
	}
	return stream, err
}

type streamSettings struct {
	// To is the address that calls are passed on to; empty: it responds itself.
	To string
	// Pause is how long it waits before each message but the first.
	Pause time.Duration
}

// grpcStream is the role of a bare grpc-go server whose response to any call is a stream
// of the request, or of what another server responds to it.
func grpcStream(ctx context.Context, raw json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var settings streamSettings
	if err := json.Unmarshal(raw, &settings); err != nil {
		return nil, err
	}
	handler := func(_ any, stream grpc.ServerStream) error { return respondStream(stream, settings.Pause) }
	if settings.To != "" {
		conn, err := dialGRPC(settings.To)
		if err != nil {
			return nil, err
		}
		handler = func(_ any, stream grpc.ServerStream) error { return passStream(conn, stream) }
	}
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(verbatim.Codec{}), grpc.NumStreamWorkers(uint32(runtime.GOMAXPROCS(0))),
		grpc.UnknownServiceHandler(handler))
	go func() {
		if err := s.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			panic(err)
		}
	}()
	return []string{listener.Addr().String()}, nil
}

func respondStream(stream grpc.ServerStream, pause time.Duration) error {
	var body []byte
	err := stream.RecvMsg(&body)
	for i := 0; i < streamMessages && err == nil; i++ {
		if i > 0 && pause > 0 {
			time.Sleep(pause)
		}
		err = stream.SendMsg(&body)
	}
	return err
}

func passStream(conn *grpc.ClientConn, stream grpc.ServerStream) error {
	var body []byte
	if err := stream.RecvMsg(&body); err != nil {
		return err
	}
	method, _ := grpc.MethodFromServerStream(stream)
	from, err := openStream(metadata.NewOutgoingContext(stream.Context(), nil), conn, method, &body)
	for err == nil {
		var message []byte
		if err = from.RecvMsg(&message); err == nil {
			err = stream.SendMsg(&message)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
