package pyrunner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"krt.dev/kn-krt/pkg/child"
)

// Commands to the zygote: 1 byte command, 32 bits worker, 32 bits argument.
const (
	commandSpawn  = 1
	commandSignal = 2
	commandStop   = 3
)

// zygote is the Python process that has loaded the node and from which workers are
// forked.
type zygote struct {
	process         *child.Process
	control         *net.UnixConn
	maxMessageBytes int

	mu      sync.Mutex
	workers map[uint32]*worker
	over    chan struct{} // closed when the process has ended
}

// newZygote returns p as the zygote of n; until it is ready it is like a worker, connected by control.
func newZygote(p *child.Process, first *worker, control *net.UnixConn, n *node) *zygote {
	z := &zygote{
		process: p, control: control, maxMessageBytes: n.config.maxMessageBytes,
		workers: map[uint32]*worker{}, over: make(chan struct{}),
	}
	go func() {
		defer n.survive()
		z.watch(first.frames)
	}()
	return z
}

// watch reads which workers have ended, until the zygote ends.
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
	z.process.Kill() // without its socket it is of no use
	<-z.process.Done()
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, w := range z.workers {
		w.exit("the process it was forked from has ended: " + z.process.State().String())
	}
	z.workers = nil
	close(z.over)
}

func (z *zygote) spawn(number uint32, output *os.File) (*worker, error) {
	defer func() { _ = output.Close() }()
	conn, others, err := pipePair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeAll(others) }()
	w := newWorker(number, conn, z.maxMessageBytes)
	w.signal = func(sig syscall.Signal) { _ = z.command(commandSignal, number, uint32(sig)) }
	z.mu.Lock()
	alive := z.workers != nil
	if alive {
		z.workers[number] = w
	}
	z.mu.Unlock()
	if alive {
		err = z.command(commandSpawn, number, 0, int(others[0].Fd()), int(others[1].Fd()), int(output.Fd()))
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
	_, _, err := z.control.WriteMsgUnix(b, passed(fds...), nil)
	return err
}

func (z *zygote) failed() (<-chan struct{}, func() error) {
	return z.over, func() error { return fmt.Errorf("the Python process ended: %s", z.process.State()) }
}

// close asks the zygote to end its workers and, in an orderly way, itself.
func (z *zygote) close([]*worker) {
	if err := z.command(commandStop, 0, 0); err != nil {
		z.kill()
	}
	<-z.over
	_ = z.control.Close()
}

func (z *zygote) kill() { z.process.Kill() }
