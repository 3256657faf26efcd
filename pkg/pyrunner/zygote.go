package pyrunner

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// host makes workers.
type host interface {
	// spawn starts a worker with output as its standard output, which it closes.
	// The worker may still have to become ready: see worker.await.
	spawn(number uint32, output *os.File) (*worker, error)
	// failed is closed when no more workers can be made; err says why.
	failed() (over <-chan struct{}, err func() error)
	// close ends all processes, and returns when they are gone.
	close()
}

// Commands to the zygote: 1 byte command, 32 bits worker, 32 bits argument.
const (
	commandSpawn  = 1
	commandSignal = 2
)

// zygote is the Python process that has loaded the node and forks workers.
type zygote struct {
	process         *process
	control         *net.UnixConn
	maxMessageBytes int

	mu      sync.Mutex
	workers map[uint32]*worker
	over    chan struct{} // closed when the process has ended
}

// startZygote starts the process and waits until the node is loaded. The error
// is the node's own when that fails, its traceback having been logged.
func startZygote(ctx context.Context, s *starter, c command, output *os.File, maxMessageBytes int) (*zygote, error) {
	control, child, err := socketPair()
	if err != nil {
		_ = output.Close()
		return nil, err
	}
	p, err := s.start(c, child, output)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start Python: %w", err), control.Close())
	}
	z := &zygote{
		process: p, control: control, maxMessageBytes: maxMessageBytes,
		workers: map[uint32]*worker{}, over: make(chan struct{}),
	}
	// Until it is ready the zygote looks like a worker.
	first := newWorker(0, control, maxMessageBytes)
	go func() {
		<-p.done
		first.exit(p.how)
	}()
	if err := first.await(ctx); err != nil {
		p.signal(syscall.SIGKILL)
		<-p.done
		return nil, errors.Join(err, control.Close())
	}
	go z.watch(first.frames)
	return z, nil
}

// watch learns of workers' ends until the zygote's own.
func (z *zygote) watch(frames *frameReader) {
	for {
		f, err := frames.next()
		if err != nil {
			break
		}
		if f.kind != frameExited {
			continue
		}
		z.mu.Lock()
		w := z.workers[f.sequence]
		delete(z.workers, f.sequence)
		z.mu.Unlock()
		if w != nil {
			w.exit(string(f.payload))
		}
	}
	z.process.signal(syscall.SIGKILL) // its socket is gone, and so is its use
	<-z.process.done
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, w := range z.workers {
		w.exit("the process it was forked from has ended: " + z.process.how)
	}
	z.workers = nil
	close(z.over)
}

func (z *zygote) spawn(number uint32, output *os.File) (*worker, error) {
	defer func() { _ = output.Close() }()
	conn, child, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = child.Close() }()
	w := newWorker(number, conn, z.maxMessageBytes)
	w.signal = func(sig syscall.Signal) { _ = z.command(commandSignal, number, uint32(sig)) }
	z.mu.Lock()
	alive := z.workers != nil
	if alive {
		z.workers[number] = w
	}
	z.mu.Unlock()
	if alive {
		err = z.command(commandSpawn, number, 0, int(child.Fd()), int(output.Fd()))
	}
	if !alive || err != nil {
		return nil, errors.Join(fmt.Errorf("cannot fork a worker: %w", errors.Join(errZygote, err)), conn.Close())
	}
	return w, nil
}

var errZygote = errors.New("the process it would be forked from has ended")

// command sends a command in one write: it is shorter than any socket buffer.
func (z *zygote) command(command byte, number, argument uint32, fds ...int) error {
	b := append(make([]byte, 0, 9), command)
	b = binary.LittleEndian.AppendUint32(b, number)
	b = binary.LittleEndian.AppendUint32(b, argument)
	_, _, err := z.control.WriteMsgUnix(b, syscall.UnixRights(fds...), nil)
	return err
}

func (z *zygote) failed() (<-chan struct{}, func() error) {
	return z.over, func() error { return fmt.Errorf("the Python process ended: %s", z.process.how) }
}

// close lets the zygote end its group and itself, as it does when the front is
// gone, and helps where it does not.
func (z *zygote) close() {
	_ = z.control.CloseWrite()
	if !within(closePatience, z.over) {
		z.process.signal(syscall.SIGKILL)
		<-z.over
	}
	_ = z.control.Close()
}
