// Package child starts processes that end with this one, and that can be ended
// together with all they have started: each leads a process group of its own.
package child

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
)

// Starter starts processes from one OS thread that lives as long as they do.
// Linux sends Pdeathsig when the thread that forked the process ends
// (prctl(2), PR_SET_PDEATHSIG), and the Go runtime ends threads as it likes.
type Starter struct{ starts chan func() }

// NewStarter returns a Starter, to be closed when its processes are gone.
func NewStarter() *Starter {
	s := &Starter{starts: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for start := range s.starts {
			start()
		}
	}()
	return s
}

// Start starts cmd, whose SysProcAttr it sets. The process is reaped by itself.
func (s *Starter) Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	started := make(chan error)
	s.starts <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, done: make(chan struct{})}
	go p.wait()
	return p, nil
}

// Close ends the thread, and with it, on Linux, what it started. Nothing may be
// started afterwards.
func (s *Starter) Close() { close(s.starts) }

// Process is a process that was started, and its group.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	gone bool // the group's number may be another's
}

// wait kills what the process leaves behind in its group, and reaps it.
func (p *Process) wait() {
	defer close(p.done)
	// As long as it is not reaped, the group's number cannot be given to another.
	if awaitExit(p.cmd.Process.Pid) {
		p.killLast()
		_ = p.cmd.Wait() // how it ended is read from the state
		return
	}
	_ = p.cmd.Wait()
	p.killLast()
}

func (p *Process) killLast() {
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.cmd.Process.Pid)
	p.gone = true
}

// Done is closed when the process is gone and what it wrote has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended; valid after Done.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Signal sends sig to the process alone, or to nobody once it has ended.
func (p *Process) Signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill kills the whole group at once; nobody once the process has ended, for its
// group went with it.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		killGroup(p.cmd.Process.Pid)
	}
}
