package local

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/child"
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
	*child.Process
	exited chan struct{} // closed when it is gone and all its output was read
}

// launch starts c as the leader of a process group of its own.
func launch(s *child.Starter, c command) (*process, error) {
	stdout := newLines(func(line string) { c.line("stdout", line) })
	stderr := newLines(func(line string) { c.line("stderr", line) })
	// No context ends it: stop and kill do, and end its group with it.
	cmd := exec.CommandContext(context.Background(), c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = c.dir, c.env, c.files
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = outputDelay
	started, err := s.Start(cmd)
	if err != nil {
		return nil, err
	}
	p := &process{Process: started, exited: make(chan struct{})}
	go func() {
		defer close(p.exited)
		<-p.Done()
		stdout.flush()
		stderr.flush()
	}()
	return p, nil
}

// stop asks the process, not its group, to end: a runner finishes its requests in
// flight, and needs its workers for that. It kills the group when the process is
// still there after grace or when hurry closes, and returns when it is gone.
func (p *process) stop(grace time.Duration, hurry <-chan struct{}) {
	p.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
	case <-hurry:
	}
	p.Kill()
	<-p.exited
}

// failure says how the process ended, "exit status 1" or "signal: killed"; valid
// after exited.
func (p *process) failure() error { return errors.New(p.State().String()) }

// success reports whether the process ended with exit code 0; valid after
// exited.
func (p *process) success() bool { return p.State().Success() }
