package main

import (
	"context"
	"fmt"

	"krt.dev/kn-krt/test/process"
)

const kilobyte = 1 << 10

// chain: gRPC in, three nodes, gRPC out, beside the raw orchestrator.
func (b *bench) chain(ctx context.Context) (err error) {
	for _, callers := range []int{1, 16, 64} {
		what := fmt.Sprintf("gRPC → 3 nodes → gRPC, Direct, 1 KB, c=%d", callers)
		all, err := b.orchestrated(ctx, what, callers, kilobyte, true)
		if err != nil {
			return err
		}
		b.add(row{what: what, against: "raw orchestrator, same events", bar: 1.05, of: &all[3], base: &all[0], same: &all[1]})
		b.add(row{what: what, against: "raw orchestrator, least header", of: &all[3], base: &all[2], same: &all[1], sameBase: &all[0]})
	}
	return nil
}

// payload: large messages through three nodes.
func (b *bench) payload(ctx context.Context) error {
	for _, size := range []int{64 << 10, 1 << 20} {
		for _, callers := range []int{1, 8} {
			what := fmt.Sprintf("payload %d KB, 3 nodes, c=%d", size>>10, callers)
			all, err := b.orchestrated(ctx, what, callers, size, false)
			if err != nil {
				return err
			}
			b.add(row{what: what, against: "raw orchestrator, same events", bar: 1.05, of: &all[2], base: &all[0], same: &all[1]})
			allocated := all[2].of(func(s sample) float64 { return s.bytes / float64(size) })
			b.add(row{what: what + ": payloads allocated a request", bar: 1, unit: "×", value: &allocated})
		}
	}
	return nil
}

// orchestrated measures raw orchestrators (two of the same; with least, one that
// sends the least header) and, last, the entrypoint, over the same three nodes.
func (b *bench) orchestrated(ctx context.Context, what string, callers, size int, least bool) (all []measured, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	nodes, err := f.nodes(ctx, 3)
	if err != nil {
		return nil, err
	}
	body := payload(size)
	kinds := []orchestratorSettings{{Nodes: nodes}, {Nodes: nodes}}
	names := []string{"raw", "raw again", "raw least"}
	if least {
		kinds = append(kinds, orchestratorSettings{Nodes: nodes, Least: true})
	}
	var subjects []subject
	for i, s := range kinds {
		one, err := f.orchestrator(ctx, names[i], s, body)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, one)
	}
	ours, err := f.entrypoint(ctx, nodes, body)
	if err != nil {
		return nil, err
	}
	return b.measure(ctx, what, callers, append(subjects, ours))
}

// echo: the entrypoint alone with one instant node, beside a raw grpc-go echo.
func (b *bench) echo(ctx context.Context) error {
	for _, callers := range []int{1, 64} {
		what := fmt.Sprintf("entrypoint, 1 instant node, 1 KB, c=%d", callers)
		all, err := b.echoed(ctx, what, callers)
		if err != nil {
			return err
		}
		b.add(row{what: what, against: "raw grpc-go echo", bar: 2.4, of: &all[2], base: &all[0], same: &all[1]})
	}
	return nil
}

func (b *bench) echoed(ctx context.Context, what string, callers int) (all []measured, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	body := payload(kilobyte)
	var subjects []subject
	for _, name := range []string{"grpc-go echo", "grpc-go echo again"} {
		p, err := f.start(ctx, "grpc-echo", nil)
		if err != nil {
			return nil, err
		}
		c, err := callGRPC(p.Addresses[0], process.Method(0), body)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{name: name, process: p, call: c})
	}
	node, err := f.start(ctx, "event-echo", nil)
	if err != nil {
		return nil, err
	}
	ours, err := f.entrypoint(ctx, node.Addresses, body)
	if err != nil {
		return nil, err
	}
	return b.measure(ctx, what, callers, append(subjects, ours))
}

// runner: the Go runner beside a bare net/http echo.
func (b *bench) runner(ctx context.Context) error {
	for _, callers := range []int{1, 64} {
		what := fmt.Sprintf("Go runner, 1 KB, c=%d", callers)
		all, err := b.served(ctx, what, callers, "google.protobuf.BytesValue", []part{
			{"bare net/http echo", "http-echo", nil}, {"bare again", "http-echo", nil},
			{"event echo", "event-echo", nil}, {"Go runner", "go-runner", nil},
		})
		if err != nil {
			return err
		}
		b.add(row{what: what, against: "bare net/http echo", of: &all[3], base: &all[0], same: &all[1]})
		b.add(row{what: what, against: "net/http echo of the event's header", bar: 1.12, of: &all[3], base: &all[2],
			same: &all[1], sameBase: &all[0]})
	}
	return nil
}

// part is a role to measure where all speak HTTP.
type part struct {
	name, role string
	settings   any
}

// served measures parts that answer a POST with its body.
func (b *bench) served(ctx context.Context, what string, callers int, message string, parts []part) (all []measured, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	var subjects []subject
	for _, s := range parts {
		p, err := f.start(ctx, s.role, s.settings)
		if err != nil {
			return nil, err
		}
		c, err := callBytes(p.Addresses[0], message, payload(kilobyte), callers)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{name: s.name, process: p, call: c})
	}
	return b.measure(ctx, what, callers, subjects)
}
