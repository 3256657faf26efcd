// Command bench measures the platform's parts beside what they are compared
// with, in one run, and writes the table to a file:
//
//	go run ./test/bench -rounds 20 -seconds 0.25 -case chain,echo
//
// Every part measured runs in a child process of its own, so that neither the
// load generator nor the nodes are counted.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"krt.dev/kn-krt/test/process"
)

func main() {
	process.Child(map[string]process.Role{
		"entrypoint": process.Entrypoint, "nodes": process.Nodes,
		"orchestrator": orchestrator, "grpc-echo": grpcEcho, "grpc-proxy": grpcProxy, "grpc-stream": grpcStream,
		"http-echo": httpEcho, "event-echo": eventEcho, "collector": collector, "queue": queue,
		"go-runner": goRunner, "python-runner": pythonRunner, "python-http": pythonHTTP, "python-hop": pythonHop,
	})
	b := &bench{log: os.Stderr}
	only := flag.String("case", "", "cases to run, by comma: "+strings.Join(caseNames(), ", ")+" (default: all)")
	flag.IntVar(&b.rounds, "rounds", 20, "rounds in which the parts take turns")
	flag.Float64Var(&b.seconds, "seconds", 0.25, "seconds of load for each part in a round")
	flag.StringVar(&b.profiles, "profiles", "", "folder for CPU and allocation profiles of the parts measured, one more round each")
	out := flag.String("out", "", "file to write the results to, in Markdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.run(ctx, *only)
	stop()
	if err == nil {
		err = b.report(os.Stdout, *out)
	}
	if err != nil {
		fmt.Fprintln(b.log, err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	rounds   int
	seconds  float64
	profiles string
	log      io.Writer
	began    time.Time
	loads    [2]string // of the machine, at begin and end
	rows     []row
	notes    []string
}

// benchCase measures some rows of the table.
type benchCase struct {
	name string
	run  func(*bench, context.Context) error
}

func cases() []benchCase {
	return []benchCase{
		{"chain", (*bench).chain},
		{"echo", (*bench).echo},
		{"runner", (*bench).runner},
		{"python", (*bench).python},
		{"payload", (*bench).payload},
		{"inflight", (*bench).inFlight},
		{"steps", (*bench).steps},
		{"telemetry", (*bench).telemetry},
		{"traffic", (*bench).traffic},
		{"stream", (*bench).stream},
		{"durable", (*bench).durable},
	}
}

func caseNames() (names []string) {
	for _, c := range cases() {
		names = append(names, c.name)
	}
	return names
}

func (b *bench) run(ctx context.Context, only string) error {
	b.began, b.loads[0] = time.Now(), machineLoad()
	wanted := caseNames()
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, name := range wanted {
		if !slices.Contains(caseNames(), name) {
			return fmt.Errorf("cannot measure %q: there are %s", name, strings.Join(caseNames(), ", "))
		}
	}
	for _, c := range cases() {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		if err := c.run(b, ctx); err != nil {
			return fmt.Errorf("cannot measure %q: %w", c.name, err)
		}
	}
	b.loads[1] = machineLoad()
	return nil
}
