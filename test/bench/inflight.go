package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"

	"krt.dev/kn-krt/test/process"
)

const (
	held = 5000
	// conns is how many connections hold them: 1000 streams each are allowed.
	conns = 8
)

// holds is how often it is measured, each time in new processes.
const holds = 5

// inFlight: what a request in flight takes in the entrypoint, when each step
// before the last was held by all at once, and the last one holds them.
func (b *bench) inFlight(ctx context.Context) error {
	counts := []int{1, 3, 12}
	lives, residents := make([][]float64, len(counts)), make([][]float64, len(counts))
	for range holds {
		for i, n := range counts {
			l, r, err := b.hold(ctx, n)
			if err != nil {
				return err
			}
			lives[i], residents[i] = append(lives[i], l), append(residents[i], r)
		}
	}
	live, resident := ratios(lives[2], lives[0]), ratios(residents[2], residents[0])
	for i, n := range counts {
		what := fmt.Sprintf("%d in flight, %d steps: each", held, n)
		b.add(row{what: what + ", live on heap and stacks", bar: 40, value: of(lives[i]), unit: " KB"})
		b.add(row{what: what + ", resident", bar: 40, value: of(residents[i]), unit: " KB"})
	}
	b.add(row{what: "in flight at 12 steps, live", against: "at 1 step", bar: 1.10, value: of(live), unit: "×"})
	b.add(row{what: "in flight at 12 steps, resident", against: "at 1 step", value: of(resident), unit: "×"})
	return nil
}

func of(values []float64) *spread {
	s := spreadOf(values)
	return &s
}

// hold has held requests wait in the last of n nodes, and returns what each
// takes in KB: of heap and stacks after a collection, and of resident memory
// before one.
func (b *bench) hold(ctx context.Context, n int) (live, resident float64, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	nodes, err := f.start(ctx, "nodes", process.NodesSettings{Count: n, Hold: held})
	if err != nil {
		return 0, 0, err
	}
	p, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes.Addresses)}, Timeout: 5 * time.Minute})
	if err != nil {
		return 0, 0, err
	}
	usage, err := p.Usage(ctx, true)
	if err != nil {
		return 0, 0, err
	}
	before, err := p.Resident()
	if err != nil {
		return 0, 0, err
	}
	wait, err := b.callAll(ctx, p.Addresses[process.GRPC])
	if err != nil {
		return 0, 0, err
	}
	if err := awaitHeld(ctx, nodes); err != nil {
		return 0, 0, err
	}
	during, err := p.Resident()
	if err != nil {
		return 0, 0, err
	}
	now, err := p.Usage(ctx, true)
	if err != nil {
		return 0, 0, err
	}
	fmt.Fprintf(b.log, "%d steps: %.1f KB heap, %.1f KB stacks, %.1f goroutines each\n", n,
		float64(now.Heap-usage.Heap)/held/1024, float64(now.Stacks-usage.Stacks)/held/1024, float64(now.Goroutines)/held)
	if err := b.profileHeld(ctx, p, n); err != nil {
		return 0, 0, err
	}
	if err := nodes.Control(ctx, "/release", nil); err != nil {
		return 0, 0, err
	}
	return float64(now.Heap+now.Stacks-usage.Heap-usage.Stacks) / held / 1024, float64(during-before) / held / 1024, wait()
}

// profileHeld keeps what p, with requests waiting in the last of n nodes, holds.
func (b *bench) profileHeld(ctx context.Context, p *process.Process, n int) error {
	if b.profiles == "" {
		return nil
	}
	for _, kind := range []string{"heap", "goroutine"} {
		var profile []byte
		if err := p.Control(ctx, "/debug/pprof/"+kind, &profile); err != nil {
			return err
		}
		name := filepath.Join(b.profiles, fmt.Sprintf("in flight %d steps.%s", n, kind))
		if err := os.WriteFile(name, profile, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// callAll begins all requests; wait returns when they are answered.
func (b *bench) callAll(ctx context.Context, address string) (wait func() error, err error) {
	var connections [conns]*grpc.ClientConn
	for i := range connections {
		if connections[i], err = dialGRPC(address); err != nil {
			return nil, err
		}
	}
	body := payload(kilobyte)
	errs := make([]error, held)
	var all sync.WaitGroup
	for i := range held {
		all.Go(func() {
			var answer []byte
			if errs[i] = connections[i%conns].Invoke(ctx, process.Method(0), &body, &answer); errs[i] == nil {
				errs[i] = same(len(answer), len(body))
			}
		})
	}
	return func() error {
		all.Wait()
		for _, c := range connections {
			_ = c.Close()
		}
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// awaitHeld waits until the last node holds all requests.
func awaitHeld(ctx context.Context, nodes *process.Process) error {
	for {
		var count int
		if err := nodes.Control(ctx, "/held", &count); err != nil {
			return err
		}
		if count >= held {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
