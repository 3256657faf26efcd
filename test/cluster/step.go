package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// steps prints what is done, and how long each took.
type steps struct {
	out  io.Writer
	goal string // begins the error of a step that fails, if that is not to bring up the cluster
}

// do runs one step, and prints its name before and its duration after.
func (s *steps) do(name string, f func() error) error {
	start := time.Now()
	fmt.Fprintf(s.out, "  %s ...\n", name)
	if err := f(); err != nil {
		return fmt.Errorf("%s: %s: %w", cmp.Or(s.goal, "cannot bring up the cluster"), name, err)
	}
	fmt.Fprintf(s.out, "  %s: %.1f s\n", name, time.Since(start).Seconds())
	return nil
}

// command runs a program and returns what it prints to its standard output;
// when it fails, its last lines are the error.
func command(ctx context.Context, c *exec.Cmd) (string, error) {
	var out, all bytes.Buffer
	c.Stdout, c.Stderr = io.MultiWriter(&out, &all), &all
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return out.String(), fmt.Errorf("%s: %w\n%s", filepath.Base(c.Path), err, lastLines(all.Bytes(), 15))
	}
	return out.String(), nil
}

func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}

// poll calls f until it returns nil, which it must within limit; otherwise the last
// error is returned.
func poll(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, err)
		case <-tick.C:
		}
	}
}

// logTail is the end of a component's log, for error messages.
func logTail(p place, name string) string {
	text, err := os.ReadFile(p.log(name))
	if err != nil {
		return "    (no log: " + err.Error() + ")"
	}
	return lastLines(text, 15)
}

func printLogs(p place, names []string, out io.Writer) error {
	if len(names) == 0 {
		files, err := filepath.Glob(p.log("*"))
		if err != nil {
			return err
		}
		ofNodes, err := filepath.Glob(filepath.Join(p.Main, "nodes", "*", "log", "*"))
		if err != nil {
			return err
		}
		for _, file := range append(files, ofNodes...) {
			name := strings.TrimSuffix(filepath.Base(file), ".log")
			if node := filepath.Base(filepath.Dir(filepath.Dir(file))); filepath.Dir(filepath.Dir(file)) != p.State {
				name = node + "/" + name
			}
			names = append(names, name)
		}
		sort.Strings(names)
	}
	for _, name := range names {
		of, component := p, name
		if node, after, ok := strings.Cut(name, "/"); ok { // of a node after the first
			of.State, component = filepath.Join(p.Main, "nodes", node), after
		}
		fmt.Fprintf(out, "%s:\n%s\n", name, logTail(of, component))
	}
	return nil
}
