package main

import (
	"context"
	"fmt"

	"krt.dev/kn-krt/test/process"
)

// steps: what one more step costs, at 3 and at 12. The slope at n is that
// between n-2 and n+2, in CPU.
func (b *bench) steps(ctx context.Context) (err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	nodes, err := f.nodes(ctx, 14)
	if err != nil {
		return err
	}
	counts := []int{1, 5, 10, 14}
	settings := process.EntrypointSettings{}
	for _, n := range counts {
		settings.Workflows = append(settings.Workflows, urls(nodes[:n]))
	}
	p, err := f.start(ctx, "entrypoint", settings)
	if err != nil {
		return err
	}
	var subjects []subject
	for i, n := range counts {
		c, err := callGRPC(p.Addresses[process.GRPC], process.Method(i), payload(kilobyte))
		if err != nil {
			return err
		}
		subjects = append(subjects, subject{name: fmt.Sprintf("%d steps", n), process: p, call: c})
	}
	for _, callers := range []int{1, 64} {
		what := fmt.Sprintf("steps, 1 KB, c=%d", callers)
		all, err := b.measure(ctx, what, callers, subjects)
		if err != nil {
			return err
		}
		b.addSlope(what, all)
	}
	return nil
}

func (b *bench) addSlope(what string, all []measured) {
	low, high := slopes(all[0], all[1]), slopes(all[2], all[3])
	ratio := spreadOf(ratios(high, low)) // before low and high are sorted
	spreads := []spread{spreadOf(low), spreadOf(high), ratio}
	b.add(row{what: what + ": a step at 3", value: &spreads[0], unit: " µs"})
	b.add(row{what: what + ": a step at 12", value: &spreads[1], unit: " µs"})
	b.add(row{what: what + ": slope at 12", against: "slope at 3", bar: 1.15, value: &spreads[2], unit: "×"})
}

// slopes returns the CPU of one step between two workflows 4 steps apart, round
// by round.
func slopes(from, to measured) (list []float64) {
	for i := range from.samples {
		list = append(list, (to.samples[i].cpu-from.samples[i].cpu)/4)
	}
	return list
}
