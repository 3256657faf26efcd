package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/test/process"
)

// traffic: what a canary costs: requests that the published version serves itself, next to an
// entrypoint without a canary, and those that it forwards, next to the canary called directly.
func (b *bench) traffic(ctx context.Context) error {
	for _, c := range []struct{ callers, size int }{{1, kilobyte}, {64, kilobyte}, {8, 1 << 20}} {
		what := fmt.Sprintf("gRPC → 3 nodes → gRPC, %d KB, c=%d", c.size>>10, c.callers)
		all, err := b.divided(ctx, what, c.callers, payload(c.size))
		if err != nil {
			return err
		}
		plain, again, kept, direct, forwarded := &all[0], &all[1], &all[2], &all[3], &all[4]
		b.add(row{what: what + ": not forwarded", against: "no canary", bar: 1.03, of: kept, base: plain, same: again})
		for name, s := range map[string]spread{
			"not forwarded, p50": kept.ratio(plain, p50Of), "A/A, p50": again.ratio(plain, p50Of),
		} {
			b.add(row{what: what + ": " + name, against: "no canary", value: &s, unit: "×"})
		}
		p50 := forwarded.ratio(direct, p50Of)
		b.add(row{what: what + ": forwarded, p50", against: "the canary, directly", bar: 1.20, value: &p50, unit: "×"})
	}
	return nil
}

// divided measures entrypoints over the same nodes: two without a canary, one that forwards
// nothing, its canary, and one that forwards all to it.
func (b *bench) divided(ctx context.Context, what string, callers int, body []byte) (all []measured, err error) {
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
	var subjects []subject
	add := func(name, traffic string) error {
		p, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes)}, Traffic: traffic})
		if err != nil {
			return err
		}
		c, err := callGRPC(p.Addresses[process.GRPC], process.Method(0), body)
		subjects = append(subjects, subject{name, p, c})
		return err
	}
	for _, name := range []string{"no canary", "no canary again"} {
		if err := add(name, ""); err != nil {
			return nil, err
		}
	}
	canary, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes)}})
	if err != nil {
		return nil, err
	}
	of := traffic.Canary{Version: "bench-v2", GRPC: canary.Addresses[process.GRPC], Web: canary.Addresses[process.Web]}
	for _, weight := range []int{0, 100} {
		of.Weight = weight
		to, err := writeTraffic(folder, of)
		if err != nil {
			return nil, err
		}
		if err := add(fmt.Sprintf("weight %d", weight), to); err != nil {
			return nil, err
		}
	}
	c, err := callGRPC(canary.Addresses[process.GRPC], process.Method(0), body)
	if err != nil {
		return nil, err
	}
	subjects = append(subjects[:3], subject{"canary", canary, c}, subjects[3])
	return b.measure(ctx, what, callers, subjects)
}

// writeTraffic writes the file for an entrypoint with the given canary, and returns its folder.
func writeTraffic(folder string, c traffic.Canary) (string, error) {
	folder = filepath.Join(folder, fmt.Sprint(c.Weight))
	text, err := json.Marshal(traffic.Config{Canary: &c})
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	return folder, os.WriteFile(filepath.Join(folder, traffic.File), text, 0o600)
}
