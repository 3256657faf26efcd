package pyrunner

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/child"
)

// lone starts workers as separate processes, each of which runs init.
type lone struct {
	command         func() (command, error)
	maxMessageBytes int

	mu        sync.Mutex
	processes map[*child.Process]struct{}
}

func newLone(c func() (command, error), maxMessageBytes int) *lone {
	return &lone{command: c, maxMessageBytes: maxMessageBytes, processes: map[*child.Process]struct{}{}}
}

func (l *lone) spawn(number uint32, output *os.File) (*worker, error) {
	c, err := l.command()
	if err != nil {
		return nil, errors.Join(err, output.Close())
	}
	p, w, err := startWorker(c, output, l.maxMessageBytes)
	if err != nil {
		return nil, err
	}
	w.number = number
	l.adopt(p)
	return w, nil
}

// startWorker starts a process that becomes a worker.
func startWorker(c command, output *os.File, maxMessageBytes int) (*child.Process, *worker, error) {
	conn, others, err := pipePair()
	if err != nil {
		return nil, nil, errors.Join(err, output.Close())
	}
	return startOn(conn, c, output, maxMessageBytes, others...)
}

// startOn starts a process that others connect with conn.
func startOn(conn connection, c command, output *os.File, maxMessageBytes int, others ...*os.File) (*child.Process, *worker, error) {
	p, err := start(c, output, others...)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	w := newWorker(0, conn, maxMessageBytes)
	w.signal = signaller(p)
	go func() {
		<-p.Done()
		w.exit(p.State().String())
	}()
	return p, w, nil
}

// adopt makes close end p, which runs a worker.
func (l *lone) adopt(p *child.Process) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes[p] = struct{}{}
	go func() {
		<-p.Done()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.processes, p)
	}()
}

func (l *lone) failed() (<-chan struct{}, func() error) { return nil, nil }

// close lets idle end in an orderly way, all at the same time, and kills the rest.
func (l *lone) close(idle []*worker) {
	for _, w := range idle {
		w.dismiss()
	}
	for _, w := range idle {
		<-w.exited
	}
	for _, p := range l.running() {
		p.Kill()
		<-p.Done()
	}
	for _, w := range idle {
		_ = w.conn.Close()
	}
}

func (l *lone) kill() {
	for _, p := range l.running() {
		p.Kill()
	}
}

func (l *lone) running() []*child.Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.processes))
}

// dismiss asks an idle worker to end and to run what init registered for that.
func (w *worker) dismiss() {
	// It still has the deadline of the last call.
	_ = w.conn.SetDeadline(time.Now().Add(exitPatience))
	if _, err := w.conn.Write(appendFrame(nil, frameEnd, 0, nil)); err != nil {
		w.signal(syscall.SIGKILL) // without its connection it is of no use
	}
}
