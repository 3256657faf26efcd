package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"krt.dev/kn-krt/test/jetstream"
	"krt.dev/kn-krt/test/process"
)

// queueSettings are those of the role queue.
type queueSettings struct {
	// Always has the server wait for the disk at each event.
	Always bool
}

// queue is the role of a NATS server whose files end with it.
func queue(_ context.Context, raw json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var s queueSettings
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "krt-bench-queue")
	if err != nil {
		return nil, err
	}
	o := jetstream.Options(folder, server.RANDOM_PORT)
	o.SyncAlways = s.Always
	n, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	n.Start()
	if !n.ReadyForConnections(time.Minute) {
		return nil, errors.New("the NATS server does not start")
	}
	return []string{n.ClientURL()}, nil
}

// durable: durable delivery beside direct delivery, over the same three nodes, with a server that
// waits for the disk and with one that does not.
func (b *bench) durable(ctx context.Context) error {
	for _, callers := range []int{1, 64} {
		what := fmt.Sprintf("Durable, gRPC → 3 nodes → gRPC, 1 KB, c=%d", callers)
		all, err := b.queued(ctx, what, callers)
		if err != nil {
			return err
		}
		for i, name := range []string{"Direct", "Durable, sync_interval always", "Durable, sync_interval 1m"} {
			latency := all[i].of(p50Of)
			b.add(row{what: what + ": " + name + ", p50", unit: " µs", value: &latency})
			rate := all[i].of(func(s sample) float64 { return float64(callers) / s.p50 * 1e6 })
			b.add(row{what: what + ": " + name + ", requests/s by p50", value: &rate})
		}
	}
	return nil
}

func (b *bench) queued(ctx context.Context, what string, callers int) (all []measured, err error) {
	f := &family{log: b.log}
	defer f.end(&err)
	nodes, err := f.nodes(ctx, 3)
	if err != nil {
		return nil, err
	}
	body := payload(kilobyte)
	direct, err := f.entrypoint(ctx, nodes, body)
	if err != nil {
		return nil, err
	}
	subjects := []subject{direct}
	for _, always := range []bool{true, false} {
		q, err := f.start(ctx, "queue", queueSettings{Always: always})
		if err != nil {
			return nil, err
		}
		p, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes)}, Queue: q.Addresses[0]})
		if err != nil {
			return nil, err
		}
		c, err := callGRPC(p.Addresses[process.GRPC], process.Method(0), body)
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{name: fmt.Sprintf("durable, always %v", always), process: p, call: c})
	}
	return b.measure(ctx, what, callers, subjects)
}
