// Package process runs parts of the platform as child processes of a benchmark
// or a test, on loopback ports of their own, so that what one part uses can be
// distinguished from what its clients and its nodes use.
//
// A child is the parent's own binary started again: the parent calls [Start],
// the child finds out in [Child].
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/child"
)

// environment is the variable that holds a child's order.
const environment = "KRT_TEST_PROCESS"

// startPatience bounds the wait for a child to report its addresses; a Python
// node's imports take seconds on a busy machine.
const startPatience = 60 * time.Second

// Role is what a child process does. It starts its servers and returns their
// addresses, or replaces the process by a program that prints a greeting
// itself. Control may be given handlers that the parent reaches by
// [Process.Control].
type Role func(ctx context.Context, settings json.RawMessage, control *http.ServeMux) (addresses []string, err error)

type order struct {
	Role     string          `json:"role"`
	Settings json.RawMessage `json:"settings"`
}

// greeting is the one line a child prints when it serves.
type greeting struct {
	Control   string   `json:"control"`
	Addresses []string `json:"addresses"`
}

// Process is a child as its parent sees it.
type Process struct {
	// Addresses are what the role returned, each host:port.
	Addresses []string

	control string
	process *child.Process
	stdin   io.Closer
	pids    []int // the child and its own children
}

// Start starts this binary again in the given role and waits until it serves.
// What it writes to standard error goes to log.
func Start(ctx context.Context, role string, settings any, log io.Writer) (*Process, error) {
	raw, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", role, err)
	}
	text, err := json.Marshal(order{role, raw})
	if err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", role, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot start %q: %w", role, err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), self) // ended by Stop, not by ctx
	cmd.Env = append(os.Environ(), environment+"="+string(text))
	cmd.Stderr = log
	p := &Process{}
	if err := p.start(cmd); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start %q: %w", role, err), p.Stop())
	}
	return p, nil
}

// start starts cmd and reads its greeting.
func (p *Process) start(cmd *exec.Cmd) (err error) {
	lines := make(chan string, 1)
	cmd.Stdout = &child.Lines{Each: func(line string) {
		select {
		case lines <- line:
		default: // the greeting is the first line
		}
	}}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if p.process, err = child.Start(cmd); err != nil {
		return err
	}
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case line := <-lines:
		return p.greet(line)
	case <-p.process.Done():
		return fmt.Errorf("it ended before it served: %s", p.process.State())
	case <-patience.C:
		return fmt.Errorf("it did not serve within %s", startPatience)
	}
}

func (p *Process) greet(line string) error {
	var g greeting
	if err := json.Unmarshal([]byte(line), &g); err != nil {
		return fmt.Errorf("it printed %q: %w", line, err)
	}
	p.Addresses, p.control = g.Addresses, g.Control
	var err error
	p.pids, err = family(p.process.PID())
	return err
}

// Stop ends the child and what it has started, and waits for it. A child that does
// not end by itself within 10 seconds is killed.
func (p *Process) Stop() error {
	if p.process == nil {
		return nil
	}
	err := p.stdin.Close() // the child ends when it sees this
	p.process.Stop(nil, 10*time.Second, nil)
	if errors.Is(err, os.ErrClosed) { // it had ended
		return nil
	}
	return err
}

// Kill kills the child and what it has started, as a lack of memory does, and waits for
// that.
func (p *Process) Kill() {
	p.process.Kill()
	<-p.process.Done()
	_ = p.stdin.Close()
}

// PID is the child's process id.
func (p *Process) PID() int { return p.process.PID() }

// Control gets path from the child's control server into v, which may be nil.
func (p *Process) Control(ctx context.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.control+path, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("the child's control returned %s: %s", res.Status, strings.TrimSpace(string(text)))
	case v == nil:
		return nil
	}
	if raw, ok := v.(*[]byte); ok {
		*raw = text
		return nil
	}
	return json.Unmarshal(text, v)
}
