package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/runner/promptio"
)

// command is how a Python process is started.
type command struct {
	argv, environ []string
	dir           string // empty: the current folder
}

// start starts c with front as descriptor 3 and what follows, and output as standard output and standard
// error. It closes the files, also on an error.
func start(c command, output *os.File, front ...*os.File) (*child.Process, error) {
	defer func() { _ = errors.Join(output.Close(), closeAll(front)) }()
	// No context: the process is ended by a signal, which is up to the caller.
	cmd := exec.CommandContext(context.Background(), c.argv[0], c.argv[1:]...)
	cmd.Env, cmd.Dir = c.environ, c.dir
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = output, output, front
	p, err := child.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("cannot start Python: %w", err)
	}
	return p, nil
}

// signaller returns a function that sends a signal to p; SIGKILL goes to its group.
func signaller(p *child.Process) func(syscall.Signal) {
	return func(sig syscall.Signal) {
		if sig == syscall.SIGKILL {
			p.Kill()
			return
		}
		p.Signal(sig)
	}
}

// connection is the front's end of what connects it with a process.
type connection interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

// socketPair returns the two ends of a stream: the front's, and the one that a child process inherits. Open files can be
// passed over it.
func socketPair() (*net.UnixConn, *os.File, error) {
	ends, err := connectedSockets()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create a socket pair: %w", err)
	}
	own, other := os.NewFile(ends[0], "front"), os.NewFile(ends[1], "python")
	conn, err := net.FileConn(own) // works on a copy
	_ = own.Close()
	if err != nil {
		_ = other.Close()
		return nil, nil, fmt.Errorf("cannot create a socket pair: %w", err)
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.Join(errors.New("cannot create a socket pair: no Unix socket"), conn.Close(), other.Close())
	}
	return unix, other, nil
}

// pipePair is socketPair by two pipes. When data is taken out of a Unix socket, the kernel wakes whoever waits at its
// other end, for a response as well: two more wake-ups for each event. The child's files are what it reads and what
// it writes.
func pipePair() (conn *promptio.Pipes, others []*os.File, err error) {
	to, err := connectedPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create a pipe: %w", err)
	}
	otherIn := os.NewFile(to[0], "python reads")
	from, err := connectedPipe()
	if err != nil {
		_ = os.NewFile(to[1], "front writes").Close()
		return nil, nil, errors.Join(fmt.Errorf("cannot create a pipe: %w", err), otherIn.Close())
	}
	others = []*os.File{otherIn, os.NewFile(from[1], "python writes")}
	err = errors.Join(unblocked(from[0]), unblocked(to[1])) // before Go learns of them
	in, out := os.NewFile(from[0], "front reads"), os.NewFile(to[1], "front writes")
	if err == nil {
		conn, err = promptio.NewPipes(in, out)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("cannot create a pipe: %w", errors.Join(err, in.Close(), out.Close(), closeAll(others)))
	}
	return conn, others, nil
}

func closeAll(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
