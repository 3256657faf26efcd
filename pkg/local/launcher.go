package local

import (
	"os/exec"
	"runtime"
)

// launcher starts every child process from one OS thread that lives as long as
// the run. Linux sends Pdeathsig when the *thread* that forked the child ends,
// not the process (prctl(2), PR_SET_PDEATHSIG), and the Go runtime ends threads
// as it likes: a child started from any goroutine could be killed at any time.
type launcher struct {
	starts chan start
}

type start struct {
	cmd *exec.Cmd
	err chan<- error
}

// newLauncher returns a launcher, to be closed when its children are gone.
func newLauncher() *launcher {
	l := &launcher{starts: make(chan start)}
	go l.loop()
	return l
}

func (l *launcher) loop() {
	// Never unlocked: the thread ends with this goroutine, and with it any child
	// that is left.
	runtime.LockOSThread()
	for s := range l.starts {
		s.err <- s.cmd.Start()
	}
}

func (l *launcher) start(cmd *exec.Cmd) error {
	err := make(chan error, 1)
	l.starts <- start{cmd, err}
	return <-err
}

// close ends the thread; nothing may be started afterwards.
func (l *launcher) close() { close(l.starts) }
