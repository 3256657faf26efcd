// Package child starts processes that end with this one, and that can be ended
// together with all they have started: each leads a process group of its own.
package child

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Process is a process that was started, and its group.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of cmd.Wait

	mu   sync.Mutex
	gone bool // the group's number may be another's
}

// Start starts cmd, whose SysProcAttr it sets, as the leader of a process group
// of its own. On Linux it is killed when this process ends, however that ends. It
// is reaped without a call of Wait; what it leaves behind in its group is killed.
// Where its output is a [Lines], that is flushed before Done is closed.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) start() error {
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// Linux sends Pdeathsig when the thread that forked the process ends (prctl(2),
		// PR_SET_PDEATHSIG), and the Go runtime ends threads as it likes. This one ends
		// with the goroutine, which waits for the process.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.wait()
		}
	}()
	err := <-started
	if folder := p.cmd.Dir; errors.Is(err, fs.ErrNotExist) && folder != "" {
		// What cannot be found may be the program, which the error names, or this.
		if _, gone := os.Stat(folder); gone != nil {
			return fmt.Errorf("cannot start %s: its working folder cannot be used: %w", p.cmd.Path, gone)
		}
	}
	return err
}

// Run starts cmd, which [exec.CommandContext] made, as [Start] does, and returns
// when it is gone: nil, or the error of [exec.Cmd.Wait]. When the context of cmd
// is done, its group gets an interrupt, as from Ctrl-C in a terminal, and is
// killed after grace.
func Run(cmd *exec.Cmd, grace time.Duration) error {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	cmd.Cancel, cmd.WaitDelay = p.interrupt, grace
	if err := p.start(); err != nil {
		return err
	}
	<-p.done
	return p.err
}

// wait reaps the process, having killed what it leaves behind in its group.
func (p *Process) wait() {
	defer close(p.done)
	// As long as it is not reaped, the group's number cannot be given to another.
	ended := awaitExit(p.cmd.Process.Pid)
	if ended {
		p.killLast()
	}
	p.err = p.cmd.Wait()
	if !ended {
		p.killLast()
	}
	for _, output := range []any{p.cmd.Stdout, p.cmd.Stderr} {
		if lines, ok := output.(*Lines); ok {
			lines.Flush()
		}
	}
}

func (p *Process) killLast() {
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.cmd.Process.Pid)
	p.gone = true
}

// PID is the number of the process, and of its group.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process is gone and what it wrote has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended; valid after Done.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Signal sends sig to the process alone; it does nothing once that has ended.
func (p *Process) Signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill kills the whole group and, on Linux, the groups of its descendants. It does nothing
// once the process has ended, because its group was killed then.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		killBelow(p.cmd.Process.Pid)
		killGroup(p.cmd.Process.Pid)
	}
}

// interrupt interrupts the whole group, if the process has not ended.
func (p *Process) interrupt() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return os.ErrProcessDone
	}
	return interruptGroup(p.cmd.Process.Pid)
}

// Stop sends sig to the process, not to its group: it may need its own processes
// to finish. A nil sig means that it has been asked to end. Stop kills the group when
// the process is still there after grace, or when hurry, which may be nil, is closed.
// It returns when the process is gone, and reports whether it ended by itself.
func (p *Process) Stop(sig os.Signal, grace time.Duration, hurry <-chan struct{}) bool {
	if sig != nil {
		p.Signal(sig)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
	case <-hurry:
	}
	p.Kill()
	<-p.done
	return false
}
