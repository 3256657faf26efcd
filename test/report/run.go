package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// program prints and builds what belongs to the cluster.
	program = "bin/cluster"
	// grace is how long a step that is to end may take: tests remove what they have made.
	grace = 3 * time.Minute
	// evidence names the folder, for tests, in which they keep what explains a failure.
	evidence = "KRT_EVIDENCE"
)

// run runs the step with all that it prints in a file, and keeps what explains a failure.
func (s step) run(ctx context.Context, folder string) *outcome {
	o := &outcome{Name: s.Name, Command: strings.Join(s.command(), " "), Begun: time.Now().UTC(), Log: s.Name + ".log"}
	kept := filepath.Join(folder, s.Name)
	err := s.execute(ctx, o, folder, kept)
	o.Seconds = time.Since(o.Begun).Seconds()
	o.close(err)
	if o.Result == failed {
		o.Kept = s.Name
		keep(ctx, kept)
	}
	return o
}

func (s step) execute(ctx context.Context, o *outcome, folder, kept string) error {
	environment := append(os.Environ(), evidence+"="+kept)
	if !s.Alone {
		environment = append(environment, "KRT_E2E=1")
	}
	environment = append(environment, "KRT_E2E_LONG=1", "KRT_SCALE=1")
	for name, tool := range s.Tools {
		path, err := toolPath(ctx, tool)
		if err != nil {
			return err
		}
		environment = append(environment, name+"="+path)
	}
	log, err := os.Create(filepath.Join(folder, o.Log))
	if err != nil {
		return err
	}
	defer log.Close()
	args := s.command()
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Dir, c.Env = s.Dir, environment
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = grace
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	read := make(chan error, 1)
	go func() {
		err := o.read(r, log, os.Stdout)
		_, _ = io.Copy(io.Discard, r) // the program must not wait
		read <- err
	}()
	err = c.Run()
	_ = w.Close()
	return errors.Join(err, <-read)
}

// toolPath builds a tool of the tests' cluster, once, and returns its path.
func toolPath(ctx context.Context, tool string) (string, error) {
	args := []string{"tool", tool}
	if tool == "crds" {
		args = args[1:]
	}
	c := exec.CommandContext(ctx, program, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("cannot build %s: %w", tool, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// keep writes the state of the whole cluster. The tests have kept that of their namespaces, which
// are gone by now.
func keep(ctx context.Context, folder string) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return
	}
	for name, args := range map[string][]string{
		"cluster-pods.txt":   {"exec", "--", "kubectl", "get", "pods", "-A", "-o", "wide"},
		"cluster-events.txt": {"exec", "--", "kubectl", "get", "events", "-A", "--sort-by=.lastTimestamp"},
		"cluster-nodes.yaml": {"exec", "--", "kubectl", "get", "nodes", "-o", "yaml"},
		"cluster-logs.txt":   {"logs"},
	} {
		c := exec.CommandContext(ctx, program, args...)
		out, err := c.CombinedOutput()
		if err != nil {
			out = fmt.Appendf(out, "\n%s %s: %v\n", program, strings.Join(args, " "), err)
		}
		_ = os.WriteFile(filepath.Join(folder, name), out, 0o600)
	}
}
