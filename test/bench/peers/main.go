// Command peers measures a version of ours next to what people would use instead, as a
// client on this machine sees both: CPU a request of all processes that take part, requests
// a second, memory.
//
//	go run ./test/bench/peers -program bin/kn-krt -rounds 10 -case echo,work,chain
//
// In the cases echo and work, kn-krt run serves a version of one Python node with one
// worker, which returns the message that it gets: 1 KB of text. In work the handler computes
// with numpy for about 5 ms. In the case chain, an entrypoint calls three instant nodes in
// order, as in test/bench; neither the load generator nor the nodes are counted. The case router,
// which is measured if it is named alone, has KServe's router call such nodes: it is built
// first from its own module, which takes minutes and some GB of the go command's cache.
//
//	make bench-peers PEERS="-case router"
//
// A peer is a command line, so anyone can add one. Its command listens on 127.0.0.1 at the
// port that takes the place of {port}, for JSON over HTTP, or of {grpc}, for gRPC, and
// responds to POST /bench.Echo/Echo, or to that rpc, with what it got:
//
//	go run ./test/bench/peers -peer 'quart=python3 quart_echo.py {port}'
//
// A command with {work} takes part in the case work too: the number of rounds of
// testdata/work.py takes its place. One with {nodes} takes part in the case chain alone: the
// URLs of three nodes, by comma, take its place, each to be sent what the one before returned.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"krt.dev/kn-krt/test/process"
)

func main() {
	process.Child(map[string]process.Role{
		"entrypoint": process.Entrypoint, "nodes": httpNodes, "http": httpChain, "grpc": grpcChain, "grpc-nodes": grpcNodes,
		"nats": natsServer, "nats-nodes": natsNodes, "nats-chain": natsChain,
	})
	b := &bench{log: os.Stderr}
	flag.StringVar(&b.program, "program", "bin/kn-krt", "the program kn-krt")
	flag.StringVar(&b.python, "python", cmp.Or(os.Getenv("KRT_PYTHON"), "/usr/bin/python3"), "the interpreter of nodes and peers")
	flag.IntVar(&b.rounds, "rounds", 10, "rounds in which the peers take turns, after one that warms")
	flag.Float64Var(&b.seconds, "seconds", 0.5, "seconds of load for each peer in a round")
	only := flag.String("case", "echo,work,chain", "cases to measure, by comma")
	flag.Func("peer", "a further peer: 'NAME=COMMAND … {port}' (may be repeated)", b.addPeer)
	out := flag.String("out", "", "file to write the tables to, in Markdown, between its two marks")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.run(ctx, strings.Split(*only, ","))
	stop()
	if err == nil {
		err = b.report(os.Stdout, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	program, python string
	rounds          int
	seconds         float64
	log             io.Writer
	extra           []peer
	tables          []table
	notes           []string
}

// addPeer adds the peer that text describes.
func (b *bench) addPeer(text string) error {
	name, command, found := strings.Cut(text, "=")
	args := strings.Fields(command)
	if !found || name == "" || len(args) == 0 {
		return errors.New("want NAME=COMMAND")
	}
	p := peer{name: name, args: args}
	if !p.has(portMark) && !p.has(grpcMark) {
		return fmt.Errorf("the command names neither %s nor %s", portMark, grpcMark)
	}
	b.extra = append(b.extra, p)
	return nil
}

func (b *bench) run(ctx context.Context, wanted []string) error {
	type benchCase struct {
		name string
		run  func(context.Context) error
	}
	all := []benchCase{
		{"echo", func(ctx context.Context) error { return b.served(ctx, "echo of 1 KB", 0) }},
		{"work", func(ctx context.Context) error { return b.served(ctx, "1 KB and 5 ms of numpy", workRounds) }},
		{"chain", b.chain},
		{"router", b.router},
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(c benchCase) bool { return c.name == name }) {
			return fmt.Errorf("cannot measure %q: there are echo, work, chain and router", name)
		}
	}
	for _, c := range all {
		if !slices.Contains(wanted, c.name) {
			continue
		}
		if err := c.run(ctx); err != nil {
			return fmt.Errorf("cannot measure %q: %w", c.name, err)
		}
	}
	return nil
}
