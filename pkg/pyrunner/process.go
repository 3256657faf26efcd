package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"krt.dev/kn-krt/pkg/child"
	"krt.dev/kn-krt/pkg/runner/promptio"
)

// command is how a Python process is started.
type command struct {
	argv, environ []string
	dir           string // empty: the current folder
}

// start starts c with sock as descriptor 3 and output as standard output and standard
// error. It closes both files, also on an error.
func start(c command, sock, output *os.File) (*child.Process, error) {
	defer func() { _, _ = sock.Close(), output.Close() }()
	// No context: the process is ended by a signal, which is up to the caller.
	cmd := exec.CommandContext(context.Background(), c.argv[0], c.argv[1:]...)
	cmd.Env, cmd.Dir = c.environ, c.dir
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = output, output, []*os.File{sock}
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

// socketPair returns the two ends of a stream: the front's, and the one that a child
// process inherits.
func socketPair() (*promptio.Unix, *os.File, error) {
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
	prompt, err := promptio.NewUnix(unix)
	if err != nil {
		return nil, nil, errors.Join(err, unix.Close(), other.Close())
	}
	return prompt, other, nil
}
