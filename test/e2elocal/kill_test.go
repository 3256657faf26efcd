//go:build linux

// Package e2elocal_test breaks a running version from outside and looks at what
// its callers and the machine are left with.
package e2elocal_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"krt.dev/kn-krt/test/localrun"
)

const (
	callers = 50
	// hanging is how long a caller waits for an answer before it counts as
	// hanging: well above the entrypoint's own limit of 30 s.
	hanging = 45 * time.Second
	// patience bounds how long a node may take to come back, and a process to go.
	patience = 90 * time.Second
	poll     = 5 * time.Millisecond
)

func TestMain(m *testing.M) { localrun.Main(m) }

// TestKill kills a Python worker, a Go node and the whole tree in turn while
// callers call without a pause.
func TestKill(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "../../functions/greeter")
	crowd := gather(t, v, callers)

	for _, victim := range []struct {
		name, rpc string
		find      func([]localrun.Process) []localrun.Process
	}{
		{"Python worker", python, workers},
		{"Go node", golang, goNodes},
	} {
		t.Run(victim.name, func(t *testing.T) {
			crowd.waitForAnswers(t, victim.rpc)
			before := victim.find(v.Processes(t))
			require.NotEmpty(t, before, "none among %v", v.Processes(t))
			require.NoError(t, syscall.Kill(before[0].PID, syscall.SIGKILL))

			require.Eventually(t, func() bool { return !before[0].Alive() }, patience, poll)
			require.Eventually(t, func() bool { return len(victim.find(v.Processes(t))) == len(before) },
				patience, poll, "it is not replaced")
			crowd.waitForAnswers(t, victim.rpc)
		})
	}

	t.Run("whole tree", func(t *testing.T) {
		family := v.Processes(t)
		require.NotEmpty(t, family)
		require.NoError(t, syscall.Kill(v.PID, syscall.SIGKILL))
		require.NoError(t, crowd.disperse(), "each caller's last call ends by itself")
		for _, p := range family {
			require.Eventually(t, func() bool { return !p.Alive() }, patience, poll, "%v is left", p)
		}
		<-v.Exited()
	})
}

// TestInterrupt stops a version by Ctrl-C while callers call without a pause.
func TestInterrupt(t *testing.T) {
	localrun.NeedPython(t)
	const tries = 3
	for try := 1; !interrupted(t); try++ {
		require.Less(t, try, tries, "requests are unfinished each time")
	}
}

// interrupted requires that a version that is stopped ends in order; false if its requests took longer than it waits for
// them, which a busy machine may need.
func interrupted(t *testing.T) (inOrder bool) {
	v := localrun.Start(t, "../../functions/greeter")
	crowd := gather(t, v, 8) // each has one request to finish then
	crowd.waitForAnswers(t, golang)
	crowd.waitForAnswers(t, python)
	family := v.Processes(t)
	require.NotEmpty(t, family)

	code, err := v.Stop(t), crowd.disperse()
	for _, p := range family { // what a node has started itself may end a moment after it
		require.Eventually(t, func() bool { return !p.Alive() }, patience, poll, "%v is left", p)
	}
	if code != 0 && strings.Contains(v.Log(), " requests unfinished after ") {
		return false
	}
	require.Zero(t, code, "exit code")
	require.NoError(t, err, "each caller's last call ends by itself")
	return true
}

const (
	golang = "greeter.Entrypoint/Greet"
	python = "greeter.Entrypoint/PyGreet"
)

// workers are the Python processes.
func workers(all []localrun.Process) []localrun.Process {
	return slices.DeleteFunc(slices.Clone(all), func(p localrun.Process) bool { return !strings.Contains(p.Command, "python") })
}

func goNodes(all []localrun.Process) []localrun.Process {
	return slices.DeleteFunc(slices.Clone(all), func(p localrun.Process) bool {
		return !strings.HasSuffix(p.Command, "/go-greeter")
	})
}

// crowd is callers that call without a pause, half of them in each language.
type crowd struct {
	size     int
	group    errgroup.Group
	enough   atomic.Bool
	answered map[string]*atomic.Int64 // calls answered, by rpc
}

func gather(t *testing.T, v *localrun.Version, size int) *crowd {
	c := &crowd{size: size, answered: map[string]*atomic.Int64{golang: {}, python: {}}}
	t.Cleanup(func() { _ = c.disperse() }) // the test has failed where this matters
	for i := range size {
		method, err := v.Method(t.Context(), []string{golang, python}[i%2])
		require.NoError(t, err)
		c.group.Go(func() error {
			for !c.enough.Load() {
				if err := c.call(method, i); err != nil {
					return fmt.Errorf("caller %d of %s: %w", i, method.Name(), err)
				}
			}
			return nil
		})
	}
	return c
}

// call calls once and fails on what no caller may see.
func (c *crowd) call(method *localrun.Method, caller int) error {
	ctx, cancel := context.WithTimeout(context.Background(), hanging)
	defer cancel()
	answer, err := method.Call(ctx, fmt.Sprintf(`{"name": "caller %d"}`, caller))
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("hung: %w", err)
	case status.Code(err) == codes.Unavailable:
		return nil // somebody has just been killed
	case err != nil:
		return err
	case !strings.Contains(answer, fmt.Sprintf("Hello, caller %d!", caller)):
		return fmt.Errorf("got another's answer: %s", answer)
	}
	c.answered[method.Name()].Add(1)
	return nil
}

// waitForAnswers returns after as many further answers as there are callers.
func (c *crowd) waitForAnswers(t *testing.T, rpc string) {
	t.Helper()
	goal := c.answered[rpc].Load() + int64(c.size)
	require.Eventually(t, func() bool { return c.answered[rpc].Load() >= goal }, patience, poll, "no answers from %s", rpc)
}

// disperse ends the crowd once each caller's last call has ended.
func (c *crowd) disperse() error {
	c.enough.Store(true)
	return c.group.Wait()
}
