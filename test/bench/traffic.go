package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/test/process"
)

// traffic: what a canary costs: requests that the published version serves itself, and those that it
// also copies, next to an entrypoint without a canary; and those that it forwards, next to the canary
// called directly, with what a bare proxy costs.
func (b *bench) traffic(ctx context.Context) error {
	for _, c := range []struct {
		callers, size int
		pause         time.Duration // in which a copy is sent; without, it takes CPU from the next request
	}{{1, kilobyte, 0}, {1, kilobyte, 5 * time.Millisecond}, {64, kilobyte, 0}, {8, 1 << 20, 0}} {
		what := fmt.Sprintf("gRPC → 3 nodes → gRPC, %d KB, c=%d", c.size>>10, c.callers)
		if c.pause > 0 {
			what += fmt.Sprintf(", %v between", c.pause)
		}
		all, err := b.divided(ctx, what, c.callers, c.pause, payload(c.size))
		if err != nil {
			return err
		}
		plain, again, kept, copied, direct, bare, forwarded := &all[0], &all[1], &all[2], &all[3], &all[4], &all[5], &all[6]
		b.add(row{what: what + ": not forwarded", against: "no canary", bar: 1.03, of: kept, base: plain, same: again})
		for _, r := range []struct {
			what, against string
			of, base      *measured
			value         func(sample) float64
			bar           float64
		}{
			{"not forwarded, p50", "no canary", kept, plain, p50Of, 0},
			{"A/A, p50", "no canary", again, plain, p50Of, 0},
			{"A/A, p99", "no canary", again, plain, p99Of, 0},
			{"copied, p50", "no canary", copied, plain, p50Of, 0},
			{"copied, p99", "no canary", copied, plain, p99Of, 0},
			{"forwarded, p50", "the canary, directly", forwarded, direct, p50Of, 1.20},
			{"a bare proxy, p50", "the canary, directly", bare, direct, p50Of, 0},
			{"forwarded, p50", "a bare proxy", forwarded, bare, p50Of, 0},
			{"forwarded, CPU", "a bare proxy", forwarded, bare, cpuOf, 0},
		} {
			value := r.of.ratio(r.base, r.value)
			b.add(row{what: what + ": " + r.what, against: r.against, bar: r.bar, value: &value, unit: "×"})
		}
	}
	return nil
}

// divided measures entrypoints over the same nodes: two without a canary, one that forwards
// nothing, one that copies all, their canary, a bare proxy to it, and an entrypoint that forwards all.
func (b *bench) divided(ctx context.Context, what string, callers int, pause time.Duration, body []byte) (all []measured, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	nodes, err := f.nodes(ctx, 3)
	if err != nil {
		return nil, err
	}
	canary, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes)}})
	if err != nil {
		return nil, err
	}
	of := func(weight, mirror int) *traffic.Canary {
		return &traffic.Canary{
			Version: "bench-v2", GRPC: canary.Addresses[process.GRPC], Web: canary.Addresses[process.Web], Weight: weight, Mirror: mirror,
		}
	}
	var subjects []subject
	for _, s := range []struct {
		name   string
		canary *traffic.Canary
	}{
		{"no canary", nil}, {"no canary again", nil}, {"weight 0", of(0, 0)}, {"mirror 100", of(0, 100)},
		{"canary", nil}, {"bare proxy", nil}, {"weight 100", of(100, 0)},
	} {
		p := canary
		switch s.name {
		case "canary":
		case "bare proxy":
			p, err = f.start(ctx, "grpc-proxy", canary.Addresses[process.GRPC])
		default:
			p, err = f.divider(ctx, nodes, filepath.Join(folder, s.name), s.canary)
		}
		if err != nil {
			return nil, err
		}
		c, err := callGRPC(p.Addresses[process.GRPC], process.Method(0), body)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{name: s.name, process: p, call: c, pause: pause})
	}
	return b.measure(ctx, what, callers, subjects)
}

// divider starts an entrypoint over nodes with the given canary, nil: none, of which folder tells it.
func (f *family) divider(ctx context.Context, nodes []string, folder string, c *traffic.Canary) (*process.Process, error) {
	s := process.EntrypointSettings{Workflows: [][]string{urls(nodes)}}
	if c != nil {
		if err := writeTraffic(folder, c); err != nil {
			return nil, err
		}
		s.Traffic = folder
	}
	return f.start(ctx, "entrypoint", s)
}

// writeTraffic writes the file for an entrypoint with the given canary into folder.
func writeTraffic(folder string, c *traffic.Canary) error {
	text, err := json.Marshal(traffic.Config{Canary: c})
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, traffic.File), text, 0o600)
}
