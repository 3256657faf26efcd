package local

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// spec is what a node runs. A node whose spec is the same as before, and whose
// code is, needs no new process.
type spec struct {
	node     string
	language string   // "python" or "go"
	args     []string // empty: its front is hosted
	dir      string
	env      []string // without the variables of the address to listen on
	note     string   // a possible cause if it does not start
}

func (s spec) equal(other spec) bool {
	return s.node == other.node && s.dir == other.dir &&
		slices.Equal(s.args, other.args) && slices.Equal(s.env, other.env)
}

// restart defines how a node that exits is started again.
type restart struct {
	// limit is how long a node may take to become ready.
	limit time.Duration
	// grace is how long it may take to end when asked to end.
	grace time.Duration
	// steady is how long a node must run for its earlier exits to be forgotten.
	steady time.Duration
	// delay is the pause before the second restart in a row; it doubles with each
	// up to maxDelay. The first restart is made at once.
	delay, maxDelay time.Duration
}

func defaultRestart() restart {
	return restart{
		limit:    5 * time.Minute,
		grace:    5 * time.Second,
		steady:   10 * time.Second,
		delay:    100 * time.Millisecond,
		maxDelay: 5 * time.Second,
	}
}

// pause returns how long to wait before the restart after so many deaths.
func (r restart) pause(deaths int) time.Duration {
	if deaths <= 1 {
		return 0
	}
	return min(r.delay<<min(deaths-2, 16), r.maxDelay)
}

// StartError reports that a node did not start.
type StartError struct {
	Node string
	Err  error
	// Output is the end of the node's output, at most 20 lines.
	Output []string
	// Note is a possible cause: virtual environments that are not used.
	Note string
}

func (e *StartError) Error() string {
	text := fmt.Sprintf("node %q did not start: %v", e.Node, e.Err)
	if len(e.Output) > 0 {
		text += "; its last output was:\n  " + strings.Join(e.Output, "\n  ")
	}
	if e.Note != "" {
		text += "\n" + e.Note
	}
	return text
}

func (e *StartError) Unwrap() error { return e.Err }

// instance is one running copy of a node: its port, and the process that serves
// it, started again whenever it dies.
type instance struct {
	spec    spec
	restart restart
	report  Reporter
	door    *door
	hurry   <-chan struct{} // closed: kill instead of waiting
	gone    func()          // called when it has ended

	cancel context.CancelFunc
	// started is closed when the instance has been ready once, or when it ended
	// without; startErr tells.
	started  chan struct{}
	startErr error
	ready    bool  // of the supervising goroutine, as is last
	last     *tail // output of the process
	ended    chan struct{}
	up       atomic.Bool // it takes requests now
}

// stop ends the instance in the background; ended is closed when it is gone.
func (i *instance) stop() { i.cancel() }

// refusedAfter is after how many starts in a row that have failed nobody is let wait any more. It is more than
// the sends of one event: the process that it ends may have been started for it, and not been seen ready.
const refusedAfter = 4

// supervise runs the process until ctx is done, or its first start fails. There is
// no end of restarts: code that ends its process at some requests serves all others.
func (i *instance) supervise(ctx context.Context) {
	defer func() {
		i.door.close()
		i.gone()
		close(i.ended)
	}()
	for deaths, failed := 0, 0; ; {
		steady, err := i.once(ctx)
		if failed++; i.up.Swap(false) {
			failed = 0
		}
		switch {
		case ctx.Err() != nil:
			i.begun(ctx.Err())
			return
		case !i.ready:
			i.begun(&StartError{Node: i.spec.node, Err: err, Output: i.last.all(), Note: i.spec.note})
			return
		case steady:
			deaths = 0
		}
		deaths++
		pause := i.restart.pause(deaths)
		if failed >= refusedAfter {
			i.door.refuse(err, pause)
		}
		i.report.Event(Event{Type: EventNodeExited, Node: i.spec.node, Error: err, Delay: pause})
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// begun records how the first start went; later calls change nothing.
func (i *instance) begun(err error) {
	if i.ready {
		return
	}
	i.ready, i.startErr = err == nil, err
	close(i.started)
}

// once runs the process until it has ended. steady means that it had been ready
// for long.
func (i *instance) once(ctx context.Context) (steady bool, err error) {
	began, last := time.Now(), &tail{}
	p, err := i.launch(last)
	if err != nil {
		return false, err
	}
	i.last = last
	probe, cancel := context.WithCancel(ctx)
	ready := make(chan error, 1)
	go func() { ready <- awaitReady(probe, i.door, i.restart.limit) }()
	defer cancel()
	notice := time.NewTicker(waitingNotice)
	defer notice.Stop()
	var since time.Time
	for {
		select {
		case <-ctx.Done():
			p.Stop(syscall.SIGTERM, i.restart.grace, i.hurry)
			return false, nil
		case <-p.Done():
			return !since.IsZero() && time.Since(since) >= i.restart.steady, p.Failure()
		case <-notice.C:
			i.report.Event(Event{Type: EventWaiting, Node: i.spec.node, Took: time.Since(began)})
		case err := <-ready:
			notice.Stop()
			if ctx.Err() != nil {
				continue
			}
			if err != nil {
				p.Stop(syscall.SIGTERM, i.restart.grace, i.hurry)
				return false, err
			}
			since = time.Now()
			i.door.admit()
			i.up.Store(true)
			i.report.Event(Event{Type: EventNodeReady, Node: i.spec.node, Language: i.spec.language, Took: time.Since(began)})
			i.begun(nil)
		}
	}
}

// listenFD is the descriptor at which a runner finds its listening socket: the
// first of ExtraFiles.
const listenFD = 3

// launch starts what serves the node.
func (i *instance) launch(last *tail) (process, error) {
	if i.door.link != nil {
		return i.host(last), nil
	}
	p, err := launch(i.command(last))
	return program{p}, err
}

func (i *instance) command(last *tail) command {
	env := append(slices.Clone(i.spec.env),
		environment.Port+"="+strconv.Itoa(i.door.port),
		environment.ListenFD+"="+strconv.Itoa(listenFD),
	)
	return command{
		args: i.spec.args, dir: i.spec.dir, env: env,
		files: []*os.File{i.door.file},
		line: func(stream, line string) {
			last.add(line)
			i.report.Line(i.spec.node, stream, line)
		},
	}
}
