package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/protobuf/reflect/protoregistry"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/loglimit"
)

const (
	// closePatience limits the wait for the rest of their output.
	closePatience = 2 * time.Second
	// If a worker cannot be replaced, the next attempts follow after growing delays.
	firstRespawn = 100 * time.Millisecond
	mostRespawn  = 10 * time.Second
	// respawnPatience limits the init of a worker that replaces another.
	respawnPatience = 10 * time.Minute
)

// errStopped is the error of calls that arrive when no more workers are started.
var errStopped = errors.New("the node has stopped")

// node is a Python node. It implements runner.Foreign.
type node struct {
	config  config
	env     func(string) string
	python  string
	environ []string
	dir     string // of the processes when they start
	// grace is the time between asking a handler to end and killing its process;
	// endGrace is the same for a process.
	grace, endGrace time.Duration
	log             *slog.Logger
	tracebacks      *loglimit.Limit

	life    context.Context // of the node; its cause says why it ended
	end     context.CancelCauseFunc
	writing sync.Mutex           // guards files and afresh
	files   []*scratch           // the last is in use; those before it have been removed by somebody
	scratch string               // the folder of the last one
	afresh  command              // how a worker is started that is not forked
	protos  *protoregistry.Files // of the bundle, for a node with dicts
	host    host
	pool    pool
	count   count
	numbers atomic.Uint32
	output  sync.WaitGroup // of the processes
	keepers sync.WaitGroup // goroutines that replace workers

	starting sync.Mutex      // held by Init
	kill     <-chan struct{} // closed: nothing is waited for
}

// Init implements [runner.Foreign]: it starts Python and waits for the workers.
func (n *node) Init(ctx context.Context) (err error) {
	started := time.Now()
	defer n.failing(&err)
	n.starting.Lock()
	defer n.starting.Unlock()
	if n.life.Err() != nil {
		return errStopped
	}
	if n.python, err = FindPython(n.env); err != nil {
		return err
	}
	n.findGeneration(ctx)
	first, err := n.startHost(ctx)
	if err != nil {
		return err
	}
	if err := n.startWorkers(ctx, first); err != nil {
		return err
	}
	if over, err := n.host.failed(); over != nil {
		go func() {
			defer n.survive()
			<-over
			n.end(err()) // no effect if the node has already ended
		}()
	}
	n.log.Debug("python started", "workers", n.config.workers, "python", n.python,
		"handler", n.config.handler, "took", time.Since(started).Round(time.Millisecond).String())
	return nil
}

// write writes the files that Python processes are started with: the shim, and the modules of the bundle's protos,
// whose folder it returns.
func (n *node) write(ctx context.Context) (modules string, err error) {
	files, err := newScratch(os.TempDir())
	if err != nil {
		return "", fmt.Errorf("cannot create a folder for the Python shim: %w", err)
	}
	n.files, n.scratch = append(n.files, files), files.dir
	if err := WriteShim(n.scratch); err != nil {
		return "", err
	}
	modules = n.makeModules(ctx)
	if n.afresh, err = n.command("worker", modules); err != nil {
		return "", err
	}
	return modules, files.note()
}

// workerCommand returns how to start a worker that is not forked. What cleans temporary folders may have removed the
// files for it while the node ran: then they are written again.
func (n *node) workerCommand() (command, error) {
	n.writing.Lock()
	defer n.writing.Unlock()
	if n.files[len(n.files)-1].whole() {
		return n.afresh, nil
	}
	n.log.Warn("files of the node have been removed while it ran: they are written again", "folder", n.scratch)
	_, err := n.write(n.life)
	return n.afresh, err
}

// pipe returns the end of a pipe to which a process writes its output, which is logged.
func (n *node) pipe() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot create a pipe for Python's output: %w", err)
	}
	n.output.Go(func() {
		defer n.survive()
		defer func() { _ = r.Close() }()
		copyOutput(r, n.log, n.tracebacks, n.config.wholeText)
	})
	return w, nil
}

// startWorkers starts all workers at the same time, except first, if there is one, and
// waits until they are ready.
func (n *node) startWorkers(ctx context.Context, first *worker) error {
	due := n.config.workers
	if first != nil {
		n.keep(first)
		due--
	}
	results := make(chan error, due)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range due {
		go func() {
			results <- n.startWorker(ctx)
		}()
	}
	var failure error
	for range due {
		if err := <-results; err != nil && failure == nil {
			failure = err
			cancel() // the others would fail in the same way
		}
	}
	return failure
}

// startWorker starts a worker and keeps it.
func (n *node) startWorker(ctx context.Context) (err error) {
	defer n.failing(&err)
	w, err := n.spawn(ctx)
	if err == nil {
		n.keep(w)
	}
	return err
}

// spawn starts a worker and waits until it is ready.
func (n *node) spawn(ctx context.Context) (*worker, error) {
	out, err := n.pipe()
	if err != nil {
		return nil, err
	}
	w, err := n.host.spawn(n.numbers.Add(1), out)
	if err != nil {
		return nil, err
	}
	if _, err := w.await(ctx); err != nil {
		w.signal(syscall.SIGKILL)
		return nil, errors.Join(err, w.conn.Close())
	}
	return w, nil
}

// keep offers w for calls, and replaces it when it dies.
func (n *node) keep(w *worker) {
	n.count.came()
	n.offer(w)
	n.keepers.Go(func() {
		defer n.survive()
		for {
			select {
			case <-w.exited:
			case <-n.life.Done():
				return
			}
			if n.pool.drop(w) {
				_ = w.conn.Close() // otherwise the call that has it does
			}
			n.log.Warn("worker exited, starting another", "status", w.how)
			n.count.went()
			if w = n.respawn(); w == nil {
				return
			}
			n.count.came()
			n.offer(w) // if it has already died, the next iteration detects it
		}
	})
}

// respawn starts a worker in place of one that died, and retries until that succeeds;
// nil when the node ends.
func (n *node) respawn() *worker {
	for delay := firstRespawn; ; delay = min(2*delay, mostRespawn) {
		ctx, cancel := context.WithTimeout(n.life, respawnPatience)
		w, err := n.spawn(ctx)
		cancel()
		if err == nil {
			return w
		}
		if n.life.Err() != nil {
			return nil
		}
		n.log.Error("cannot replace a worker: trying again", "error", err, "after", delay.String())
		n.count.failed(err)
		if n.Down() != nil {
			n.pool.release()
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-n.life.Done():
			timer.Stop()
			return nil
		}
	}
}

// Call implements [runner.Foreign]: it waits for a free worker, which runs the handler.
func (n *node) Call(c *runner.HandlerContext, in *event.Event) (runner.Output, error) {
	// Not c.Context(), which is made for handlers: the wait ends before the deadline.
	ctx, deadline := runner.RequestContext(c), runner.Deadline(c)
	w, err := n.free(ctx, deadline)
	if err != nil {
		return runner.Output{}, err
	}
	defer n.offer(w)
	switch { // it may have ended just when its turn came
	case ctx.Err() != nil:
		return runner.Output{}, ctx.Err()
	case !deadline.IsZero() && !time.Now().Before(deadline):
		return runner.Output{}, context.DeadlineExceeded
	}
	runner.Begin(c)
	in, err = n.forHandler(in) // only with a worker at hand: it needs several times the size of in
	if err != nil {
		return runner.Output{}, err
	}
	began := time.Now()
	out, err := w.call(c, in, n.grace, n.streamed)
	switch {
	case err != nil:
	case in.Stream.Unary(): // a stream may take minutes, which says nothing about other calls
		n.pool.took(time.Since(began))
	case n.config.dicts && in.Stream.Last == n.config.node && dict.Is(out.Message):
		return n.filled(out, in.Stream.Message) // the last message of the stream
	}
	return out, err
}

// offer puts w into the pool unless it is broken.
func (n *node) offer(w *worker) {
	if !n.pool.put(w) {
		_ = w.conn.Close()
	}
}
