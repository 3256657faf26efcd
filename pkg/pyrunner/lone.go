package pyrunner

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
)

// lone makes workers that are processes of their own (KRT_FORK=never).
type lone struct {
	starter         *starter
	command         command
	maxMessageBytes int

	mu        sync.Mutex
	processes map[*process]struct{}
}

func (l *lone) spawn(number uint32, output *os.File) (*worker, error) {
	conn, child, err := socketPair()
	if err != nil {
		return nil, errors.Join(err, output.Close())
	}
	p, err := l.starter.start(l.command, child, output)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start Python: %w", err), conn.Close())
	}
	l.mu.Lock()
	l.processes[p] = struct{}{}
	l.mu.Unlock()
	w := newWorker(number, conn, l.maxMessageBytes)
	w.signal = p.signal
	go func() {
		<-p.done
		l.mu.Lock()
		delete(l.processes, p)
		l.mu.Unlock()
		w.exit(p.how)
	}()
	return w, nil
}

func (l *lone) failed() (<-chan struct{}, func() error) { return nil, nil }

func (l *lone) close() {
	l.mu.Lock()
	running := make([]*process, 0, len(l.processes))
	for p := range l.processes {
		running = append(running, p)
	}
	l.mu.Unlock()
	for _, p := range running {
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}
