package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"krt.dev/kn-krt/test/process"
)

// steps is how many nodes a chain has.
const steps = 3

// chained are the processes of the case chain, of which the first that fails is remembered.
type chained struct {
	log io.Writer
	all []*process.Process
	err error
}

// role is one of them.
type role struct {
	pid       int
	addresses [steps]string
}

func (c *chained) start(ctx context.Context, name string, settings any) (r role) {
	if c.err != nil {
		return r
	}
	p, err := process.Start(ctx, name, settings, c.log)
	if err != nil {
		c.err = err
		return r
	}
	c.all = append(c.all, p)
	r.pid = p.PID()
	copy(r.addresses[:], p.Addresses)
	return r
}

// direct starts the nodes, and an entrypoint that calls them by direct delivery.
func (c *chained) direct(ctx context.Context) (urls []string, entry role) {
	for _, address := range c.start(ctx, "nodes", steps).addresses {
		urls = append(urls, "http://"+address)
	}
	return urls, c.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls}})
}

func (c *chained) grpc(address, name string) call {
	if c.err != nil {
		return nil
	}
	var called call
	called, c.err = callMethod(address, name, textMessage())
	return called
}

func (c *chained) stop() (err error) {
	for _, p := range c.all {
		err = errors.Join(err, p.Stop())
	}
	return err
}

// chain measures an entrypoint with direct delivery over three instant nodes next to
// programs that call three such nodes in order: by pooled HTTP, gRPC, and request/reply of
// NATS, whose server is counted.
func (b *bench) chain(ctx context.Context) (err error) {
	c := &chained{log: b.log}
	defer func() { err = errors.Join(err, c.stop()) }()
	urls, entry := c.direct(ctx)
	web, again := c.start(ctx, "http", urls), c.start(ctx, "http", urls)
	overGRPC := c.start(ctx, "grpc", c.start(ctx, "grpc-nodes", nil).addresses[0])
	queue := c.start(ctx, "nats", nil)
	c.start(ctx, "nats-nodes", queue.addresses[0])
	overNATS := c.start(ctx, "nats-chain", queue.addresses[0])
	ours, theirs := c.grpc(entry.addresses[process.GRPC], process.Method(0)), c.grpc(overGRPC.addresses[0], method)
	if c.err != nil {
		return c.err
	}
	subjects := []subject{
		{name: "kn-krt entrypoint, Direct, gRPC in", pid: entry.pid, call: ours},
		{name: "HTTP", pid: web.pid, call: callRaw(web.addresses[0])},
		{name: "HTTP again", pid: again.pid, call: callRaw(again.addresses[0])},
		{name: "gRPC", pid: overGRPC.pid, call: theirs},
		{name: "NATS, HTTP in", pid: overNATS.pid, with: []int{queue.pid}, call: callRaw(overNATS.addresses[0])},
	}
	var peers []peer
	for _, p := range b.extra {
		if p.has(nodesMark) {
			peers = append(peers, p)
		}
	}
	more, stop, err := startAll(ctx, peers, map[string]string{nodesMark: strings.Join(urls, ",")})
	defer stop()
	if err != nil {
		return err
	}
	return b.measureBoth(ctx, fmt.Sprintf("chain of %d instant nodes, 1 KB", steps), append(subjects, more...))
}

// callRaw posts the message, and wants its text back.
func callRaw(address string) call {
	body := textMessage()
	head := "POST " + method + " HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/protobuf\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n"
	return callBytes(address, append([]byte(head), body...), []byte(kilobyte))
}
