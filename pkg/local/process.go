package local

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	"krt.dev/kn-krt/pkg/child"
)

// outputDelay is how long the output of a process that has ended is still read
// when a process outside its group holds the other end open.
const outputDelay = time.Second

// command is what to run.
type command struct {
	args  []string
	dir   string
	env   []string
	files []*os.File // the child's descriptors from 3 on
	// line receives each line of output; stream is "stdout" or "stderr". The two
	// streams call it concurrently.
	line func(stream, line string)
}

// maxLine bounds a line of output, in bytes; of a longer one the rest is a further line. The longest
// record that a runner logs fits: 256 KiB, each byte of which may be escaped.
const maxLine = 2 << 20

// launch starts c as the leader of a process group of its own.
func launch(c command) (*child.Process, error) {
	// No context ends it: Stop and Kill do, and its group with it.
	cmd := exec.CommandContext(context.Background(), c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = c.dir, c.env, c.files
	cmd.Stdout = &child.Lines{Most: maxLine, Each: func(line string) { c.line("stdout", line) }}
	cmd.Stderr = &child.Lines{Most: maxLine, Each: func(line string) { c.line("stderr", line) }}
	cmd.WaitDelay = outputDelay
	return child.Start(cmd)
}

// process is what serves a node.
type process interface {
	// Done is closed when it has ended.
	Done() <-chan struct{}
	// Failure is how it ended; valid after Done.
	Failure() error
	// Stop asks it to end, kills it after grace or when hurry is closed, and returns when it
	// is gone. It reports whether it ended by itself.
	Stop(sig os.Signal, grace time.Duration, hurry <-chan struct{}) bool
}

var errEnded = errors.New("it ended")

// program is a process of the system.
type program struct{ *child.Process }

// Failure is how it ended, "exit status 1" or "signal: killed".
func (p program) Failure() error { return errors.New(p.State().String()) }
