package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/test/freeport"
)

// What takes the place of these in a peer's command is told in the package's comment.
const (
	portMark  = "{port}"
	grpcMark  = "{grpc}"
	workMark  = "{work}"
	nodesMark = "{nodes}"
)

const (
	startPatience = 60 * time.Second
	stopPatience  = 10 * time.Second
	retryDelay    = 50 * time.Millisecond
)

// peer is a program that is measured.
type peer struct {
	name string
	args []string
	env  []string // in addition to this process's own
}

func (p *peer) has(mark string) bool {
	return slices.ContainsFunc(p.args, func(arg string) bool { return strings.Contains(arg, mark) })
}

// running is a peer's process, with what it has started.
type running struct {
	process *child.Process
	http    string // address, empty: it does not speak that
	grpc    string
	output  *tail
}

// start starts p. Values take the place of further marks in its command.
func (p *peer) start(ctx context.Context, values map[string]string) (*running, error) {
	r := &running{output: &tail{}}
	for mark, to := range map[string]*string{portMark: &r.http, grpcMark: &r.grpc} {
		if !p.has(mark) {
			continue
		}
		address, err := freeport.Address(ctx, "127.0.0.1")
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(address)
		*to, values[mark] = address, port
	}
	var pairs []string
	for mark, value := range values {
		pairs = append(pairs, mark, value)
	}
	replace := strings.NewReplacer(pairs...)
	args := make([]string, len(p.args))
	for i, arg := range p.args {
		args[i] = replace.Replace(arg)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...) // ended by stop
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = r.output, r.output
	var err error
	r.process, err = child.Start(cmd)
	return r, err
}

// await calls c until it succeeds.
func (r *running) await(ctx context.Context, c call) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := c(ctx, 0)
		if err == nil {
			return nil
		}
		select {
		case <-r.process.Done():
			return fmt.Errorf("it ended: %s: %s", r.process.State(), r.output)
		case <-ctx.Done():
			return fmt.Errorf("it does not respond: %w: %s", errors.Join(err, ctx.Err()), r.output)
		case <-time.After(retryDelay):
		}
	}
}

func (r *running) stop() { r.process.Stop(syscall.SIGTERM, stopPatience, nil) }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 4 << 10

var _ io.Writer = (*tail)(nil)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
