package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"krt.dev/kn-krt/test/process"
)

// telemetry: an entrypoint that records traces, beside one that does not, over three nodes.
func (b *bench) telemetry(ctx context.Context) (err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	nodes, err := f.nodes(ctx, 3)
	if err != nil {
		return err
	}
	receiver, err := f.start(ctx, "collector", nil)
	if err != nil {
		return err
	}
	shares := []float64{0, 0.1, 1}
	settings := []process.EntrypointSettings{{}, {}}
	names := []string{"off", "off again"}
	for _, share := range shares {
		settings = append(settings, process.EntrypointSettings{Traces: "http://" + receiver.Addresses[0], Sampling: share})
		names = append(names, fmt.Sprintf("%v %% sampled", 100*share))
	}
	var subjects []subject
	for i, s := range settings {
		s.Workflows = [][]string{urls(nodes)}
		p, err := f.start(ctx, "entrypoint", s)
		if err != nil {
			return err
		}
		c, err := callGRPC(p.Addresses[process.GRPC], process.Method(0), payload(kilobyte))
		if err != nil {
			return err
		}
		subjects = append(subjects, subject{name: names[i], process: p, call: c})
	}
	const callers = 64
	what := fmt.Sprintf("traces of gRPC → 3 nodes → gRPC, Direct, 1 KB, c=%d: ", callers)
	all, err := b.measure(ctx, what, callers, subjects)
	if err != nil {
		return err
	}
	for i, bar := range []float64{1.03, 1.10, 0} {
		b.add(row{what: what + names[2+i], against: "off", bar: bar, of: &all[2+i], base: &all[0], same: &all[1]})
	}
	return nil
}

// collector is the role of a collector that reads what it gets and keeps nothing.
func collector(ctx context.Context, _ json.RawMessage, _ *http.ServeMux) ([]string, error) {
	return serve(ctx, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
}
