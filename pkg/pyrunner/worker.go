package pyrunner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	// joinBytes is the size up to which data is copied behind its frame's header; larger
	// data is passed to the kernel as it is.
	joinBytes = 64 << 10
	// exitPatience limits the wait for how a worker died.
	exitPatience = 2 * time.Second
	// frameSlack is what a frame may hold in addition to a message's data.
	frameSlack = 64 << 10
)

// errUnsent is the error of a request whose deadline passed before any of it was sent, so
// that the worker does not know of it.
var errUnsent = errors.New("nothing was sent to the worker")

// worker is one Python process that runs the handler, seen from the front. Except for
// exit and the channels, only the call that took it from the pool may use it.
type worker struct {
	number   uint32
	conn     connection
	frames   *frameReader
	signal   func(syscall.Signal)
	limit    int // of a message, in bytes
	sequence uint32
	buf      []byte
	broken   bool // it must not be used again

	interrupt   func() // ends the current reads and writes
	interrupted chan struct{}

	exited chan struct{} // closed when the process has ended; then how is set
	how    string
	once   sync.Once
}

func newWorker(number uint32, conn connection, maxMessageBytes int) *worker {
	interrupted := make(chan struct{}, 1)
	return &worker{
		number: number, conn: conn, limit: maxMessageBytes,
		frames: newFrameReader(conn, maxMessageBytes+frameSlack),
		interrupt: func() {
			_ = conn.SetDeadline(time.Unix(1, 0))
			interrupted <- struct{}{}
		},
		interrupted: interrupted,
		exited:      make(chan struct{}),
	}
}

// exit records that the process has ended.
func (w *worker) exit(how string) {
	w.once.Do(func() {
		w.how = how
		close(w.exited)
	})
}

// await waits until the process is ready for requests, or to fork; obstacle is why it
// must not be forked.
func (w *worker) await(ctx context.Context) (obstacle string, err error) {
	stop := context.AfterFunc(ctx, func() { _ = w.conn.Close() })
	defer stop()
	f, err := w.frames.next()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", w.died(err)
	case f.kind == frameFailed:
		return "", errors.New(string(f.payload))
	case f.kind != frameReady:
		return "", fmt.Errorf("%w: kind %d before the worker is ready", errMalformed, f.kind)
	}
	return string(f.payload), nil
}

// died returns why the worker's connection was closed.
func (w *worker) died(err error) error {
	what := "worker"
	if w.number == 0 {
		what = "python" // the zygote
	}
	if within(exitPatience, w.exited) {
		return fmt.Errorf("%s exited: %s", what, w.how)
	}
	return fmt.Errorf("%s lost: %w", what, err)
}

// call runs the handler for in; sent converts the messages of a stream. If it leaves the
// worker broken, the process is dead or dying.
func (w *worker) call(c *runner.HandlerContext, in *event.Event, grace time.Duration, sent conversion) (runner.Output, error) {
	ctx := runner.RequestContext(c)
	w.sequence++
	defer w.failing()
	// The connection has timers anyway, so they keep the deadline. Zero is none, and resets
	// the deadline of an earlier call.
	_ = w.conn.SetDeadline(runner.Deadline(c))
	stop := context.AfterFunc(ctx, w.interrupt)
	out, err := w.exchange(c, in, sent)
	if !stop() {
		<-w.interrupted // otherwise it would interrupt the next call
	}
	if lost := (*unsendable)(nil); errors.As(err, &lost) {
		w.cancel(grace)
		return runner.Output{}, lost.err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if !errors.Is(err, errUnsent) { // otherwise it has nothing to end
			w.cancel(grace)
		}
		return runner.Output{}, cmp.Or(ctx.Err(), context.DeadlineExceeded)
	}
	if err != nil && w.broken {
		w.signal(syscall.SIGKILL)
		return runner.Output{}, &runner.Unavailable{Err: err}
	}
	return out, err
}

// failing is deferred by what uses the worker for a call: after a panic nobody knows what is left in its pipes.
func (w *worker) failing() {
	if p := recover(); p != nil {
		w.broken = true
		w.signal(syscall.SIGKILL)
		panic(p)
	}
}

// exchange sends the request and reads frames until one ends it.
func (w *worker) exchange(c *runner.HandlerContext, in *event.Event, sent conversion) (runner.Output, error) {
	if n, err := w.send(c, in); err != nil {
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if late && n == 0 {
			return runner.Output{}, fmt.Errorf("%w: %w", errUnsent, err)
		}
		w.broken = true
		if late {
			return runner.Output{}, err
		}
		return runner.Output{}, w.died(err)
	}
	for {
		f, err := w.next()
		if err != nil {
			return runner.Output{}, err
		}
		// Passed on before the next frame is read, so that what the client gets keeps its order.
		switch f.kind {
		case frameEarlyReply:
			err = w.reply(c, f, in, sent)
		case frameSend:
			err = w.relay(c, f, in.Stream.Message, sent)
		default:
			return w.end(c, f, in, sent)
		}
		if err != nil {
			return runner.Output{}, err
		}
	}
}

// send sends the request and returns how many bytes of it are in the pipe.
func (w *worker) send(c *runner.HandlerContext, in *event.Event) (sent int64, err error) {
	w.buf = appendRequest(w.buf[:0], w.sequence, in, terms{runner.Deadline(c), runner.Background(c), c.TraceParent()})
	if len(in.Data) <= joinBytes {
		w.buf = append(w.buf, in.Data...)
		n, err := w.conn.Write(w.buf)
		return int64(n), err
	}
	return (&net.Buffers{w.buf, in.Data}).WriteTo(w.conn)
}

// next returns the next frame of the current request. Frames of earlier ones, which a
// thread of the node may send late, are dropped.
func (w *worker) next() (frame, error) {
	for {
		f, err := w.frames.next()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return frame{}, err
		case errors.Is(err, errMalformed):
			w.broken = true
			return frame{}, fmt.Errorf("worker: %w", err)
		case err != nil:
			w.broken = true
			return frame{}, w.died(err)
		case f.sequence > w.sequence:
			w.broken = true
			return frame{}, fmt.Errorf("worker: %w: for request %d in request %d", errMalformed, f.sequence, w.sequence)
		case f.sequence == w.sequence:
			return f, nil
		}
	}
}

// end reads the frame that ends a request. The message of an early exit is the client's.
func (w *worker) end(c *runner.HandlerContext, f frame, in *event.Event, sent conversion) (runner.Output, error) {
	switch f.kind {
	case frameResult:
		exit, message, err := parseResult(f.payload)
		if err != nil {
			w.broken = true
			return runner.Output{}, fmt.Errorf("worker: %w", err)
		}
		if exit {
			c.SetEarlyExit()
		}
		switch {
		case message == nil:
			return runner.Output{}, nil
		case exit && !in.Stream.Unary():
			return sent(*message, in.Stream.Message)
		}
		return message.output(w.limit)
	case frameError:
		name, text, err := parseError(f.payload)
		if err != nil {
			w.broken = true
			return runner.Output{}, fmt.Errorf("worker: %w", err)
		}
		return runner.Output{}, handlerError(f.payload[0], name, text)
	case frameCancelled:
		return runner.Output{}, context.Canceled
	}
	w.broken = true
	return runner.Output{}, fmt.Errorf("worker: %w: kind %d, %d bytes", errMalformed, f.kind, len(f.payload))
}

func handlerError(kind byte, name, text string) error {
	err := errors.New(text)
	if name != "" {
		err = runner.Typed(name, err)
	}
	switch kind {
	case errorWrongOutput:
		return runner.Failed(code.Code_INTERNAL, event.ReasonWrongOutput, err)
	case errorTooLarge:
		return runner.Failed(code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge, err)
	}
	return err
}

// cancel ends a request whose client no longer waits: it asks the handler to end, then
// kills the process.
func (w *worker) cancel(grace time.Duration) {
	defer func() {
		if w.broken {
			w.signal(syscall.SIGKILL)
		}
	}()
	if w.broken { // half of the request may be in the pipe
		return
	}
	_ = w.conn.SetDeadline(time.Now().Add(grace))
	// The frame first: it names the request that the signal cancels.
	if _, err := w.conn.Write(appendFrame(nil, frameCancel, w.sequence, nil)); err != nil {
		w.broken = true
		return
	}
	w.signal(cancelSignal)
	for {
		f, err := w.next()
		if err != nil {
			w.broken = true
			return
		}
		if f.kind != frameEarlyReply && f.kind != frameSend {
			return
		}
	}
}
