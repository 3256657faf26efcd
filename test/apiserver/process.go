package apiserver

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

var errNoFault = errors.New("exit status 0")

// spawn starts a program that Stop ends, with its output in a log file.
func (s *Server) spawn(name, program string, args ...string) error {
	log, err := os.Create(s.path(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(program, args...) //nolint:noctx // it lives until Stop, not until the start's context ends
	c.Dir, c.Stdout, c.Stderr, c.SysProcAttr = s.dir, log, log, withParent()
	if err := c.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ended := make(chan struct{})
	go func() {
		err := c.Wait()
		s.abort(fmt.Errorf("%s ended: %w", name, cmp.Or(err, errNoFault)))
		close(ended)
	}()
	s.stops = append(s.stops, func() error {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-ended: // how is of no interest: it was told to
		case <-time.After(10 * time.Second): // an apiserver waits for its watchers
			_ = c.Process.Kill()
			<-ended
		}
		return nil
	})
	return nil
}

// tail is the end of a program's log.
func (s *Server) tail(name string) string {
	text, err := os.ReadFile(s.path(name + ".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
