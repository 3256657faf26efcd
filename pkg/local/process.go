package local

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// outputDelay is how long a dead process's output is still read when somebody
// outside its group holds the other end open.
const outputDelay = time.Second

// command says what to run.
type command struct {
	args  []string
	dir   string
	env   []string
	files []*os.File // the child's descriptors from 3 on
	// line receives each line of output; stream is "stdout" or "stderr". The two
	// streams call it concurrently.
	line func(stream, line string)
}

// process is a running child and its process group.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it is gone and all its output was read

	mu     sync.Mutex
	reaped bool
}

// run starts c as the leader of a process group of its own.
func (l *launcher) run(c command) (*process, error) {
	stdout := newLines(func(line string) { c.line("stdout", line) })
	stderr := newLines(func(line string) { c.line("stderr", line) })
	// No context ends it: stop and kill do, and end its group with it.
	cmd := exec.CommandContext(context.Background(), c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = c.dir, c.env, c.files
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = outputDelay
	cmd.SysProcAttr = attributes()
	if err := l.start(cmd); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		p.wait()
		stdout.flush()
		stderr.flush()
	}()
	return p, nil
}

// wait reaps the process, and kills what it leaves behind in its group.
func (p *process) wait() {
	if awaitExit(p.cmd.Process.Pid) {
		p.killAsLast()
		_ = p.cmd.Wait()
		return
	}
	_ = p.cmd.Wait() // the exit state is read from cmd.ProcessState
	p.killAsLast()
}

func (p *process) killAsLast() {
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.cmd.Process.Pid)
	p.reaped = true
}

// terminate asks the process, not its group, to end: a runner finishes its
// requests in flight, and needs its workers for that.
func (p *process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

// kill ends the whole group at once.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd.Process.Pid)
	}
}

// stop terminates the process, and kills its group when it is still there after
// grace or when hurry closes. It returns when the process is gone.
func (p *process) stop(grace time.Duration, hurry <-chan struct{}) {
	p.terminate()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
	case <-hurry:
	}
	p.kill()
	<-p.exited
}

// failure says how the process ended, "exit status 1" or "signal: killed"; valid
// after exited.
func (p *process) failure() error {
	return errors.New(p.cmd.ProcessState.String())
}

// success reports whether the process ended with exit code 0; valid after
// exited.
func (p *process) success() bool { return p.cmd.ProcessState.Success() }
