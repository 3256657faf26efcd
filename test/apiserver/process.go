package apiserver

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/child"
)

// spawn starts a program that Stop ends, with its output in a log file.
func (s *Server) spawn(name, program string, args ...string) error {
	log, err := os.Create(s.path(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := exec.Command(program, args...) //nolint:noctx // it lives until Stop, not until the start's context ends
	c.Dir, c.Stdout, c.Stderr = s.dir, log, log
	p, err := child.Start(c)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		<-p.Done()
		s.abort(fmt.Errorf("%s ended: %s", name, p.State()))
	}()
	s.stops = append(s.stops, func() {
		p.Stop(syscall.SIGTERM, 10*time.Second, nil) // an apiserver waits for its watchers
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
