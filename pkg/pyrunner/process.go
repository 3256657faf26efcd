package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starter starts processes from one OS thread that lives as long as they do:
// Linux sends Pdeathsig when the thread that forked ends, and the Go runtime
// ends threads as it likes.
type starter struct{ starts chan func() }

func newStarter() *starter {
	s := &starter{starts: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for start := range s.starts {
			start()
		}
	}()
	return s
}

// close ends the thread, and with it what it started.
func (s *starter) close() { close(s.starts) }

// process is a Python process in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; then how is set
	how  string
	mu   sync.Mutex // guards against a signal after the end
	over bool
}

// command is how a Python process is started.
type command struct{ argv, environ []string }

// start starts c with sock as descriptor 3 and output as standard output and
// error. It closes both files, whatever comes of it.
func (s *starter) start(c command, sock, output *os.File) (*process, error) {
	defer func() { _, _ = sock.Close(), output.Close() }()
	// No context: a process ends by signal, and who starts it sees to that.
	p := &process{cmd: exec.CommandContext(context.Background(), c.argv[0], c.argv[1:]...), done: make(chan struct{})}
	p.cmd.Env = c.environ
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.ExtraFiles = output, output, []*os.File{sock}
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error)
	s.starts <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	go p.wait()
	return p, nil
}

func (p *process) wait() {
	err := p.cmd.Wait()
	// What it has started outlives it otherwise. The group keeps its number while
	// it has members; that of an empty one cannot be taken again this soon.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.how = "exit status 0"
	if err != nil {
		p.how = err.Error()
	}
	close(p.done)
}

// signal sends sig to the process, or, to kill, to its group. Sending nothing
// after the end is a must: the number may be another's by then.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch pid := p.cmd.Process.Pid; {
	case p.over:
	case sig == syscall.SIGKILL:
		_ = syscall.Kill(-pid, sig)
	default:
		_ = p.cmd.Process.Signal(sig)
	}
}

// socketPair returns the two ends of a stream: the front's, and the one a child
// inherits.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	own, child := os.NewFile(uintptr(fds[0]), "front"), os.NewFile(uintptr(fds[1]), "python")
	conn, err := net.FileConn(own) // works on a copy
	_ = own.Close()
	if err != nil {
		_ = child.Close()
		return nil, nil, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.Join(errors.New("cannot make a socket pair: no Unix socket"), conn.Close(), child.Close())
	}
	return unix, child, nil
}
