package pyrunner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/loglimit"
)

// Options are what [Run] takes from its environment; zero values are the defaults.
type Options struct {
	// Getenv reads the settings. Default: os.Getenv.
	Getenv func(name string) string
	// Environ is the environment of the Python processes. Default: os.Environ().
	Environ []string
	// Dir is the folder in which the Python processes are started; they change to the bundle's
	// root. Default: the current one.
	Dir string
	// Output gets the node's log lines. Default: they are dropped.
	Output io.Writer
	// Listener accepts the node's connections. Default: the inherited socket whose number
	// is KRT_LISTEN_FD, else the port PORT, else port 8080.
	Listener net.Listener
	// Ready is called once, when the node accepts events.
	Ready func()
	// Alone says that the process does nothing but run this node: Run then limits
	// the processors that Go uses to what a front needs, unless GOMAXPROCS is set.
	Alone bool
	// CancelGrace is how long a cancelled handler may take to end before its worker is
	// killed. Default: 2 s.
	CancelGrace time.Duration
	// EndGrace is how long processes may take to end by themselves when the node stops,
	// with the functions that init registered (atexit, a handler of SIGTERM).
	// Default: 5 s.
	EndGrace time.Duration
	// Kill, once closed, makes the node end at once: its processes are killed, and the calls
	// in flight fail. Default: never.
	Kill <-chan struct{}
	// ShutdownTimeout is how long the calls in flight may take to finish when the node
	// stops. Default: 30 s.
	ShutdownTimeout time.Duration
}

// Main runs the Python node that the environment describes until ctx ends, and writes
// its log lines to out. It is all of cmd/runner.
func Main(ctx context.Context, env func(string) string, out io.Writer) error {
	return Run(ctx, Options{Getenv: env, Output: out, Alone: true})
}

// Run runs a Python node until ctx ends, then lets the calls in flight finish and
// returns nil. It returns an error if a setting is wrong, Python cannot be found, the
// node cannot be loaded (its traceback has been logged), or Python ends by itself. No
// process is left when it returns. A panic of its own is such an error, too: a process may host several nodes.
func Run(ctx context.Context, o Options) (err error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Output == nil {
		o.Output = io.Discard
	}
	log, err := runner.EnvLogger(o.Output, o.Getenv)
	if err != nil {
		return fmt.Errorf("cannot start the node: %w", err)
	}
	c, err := readConfig(o.Getenv)
	if err != nil {
		return fmt.Errorf("cannot start node %q: %w", c.node, err)
	}
	if o.Alone && o.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(c.processors())
	}
	n := &node{
		config: c, env: o.Getenv, environ: o.Environ, dir: o.Dir, kill: o.Kill,
		grace: cmp.Or(o.CancelGrace, 2*time.Second), endGrace: cmp.Or(o.EndGrace, 5*time.Second),
		log: log.With("node", c.node), tracebacks: loglimit.NewLimit(log.With("node", c.node).Handler()),
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot keep node %q running: %w", c.node, n.panicked(p))
		}
	}()
	n.life, n.end = context.WithCancelCause(context.WithoutCancel(ctx))
	defer n.killing()()
	defer n.close()
	// When the node stops, the server lets calls finish while Python still runs; if
	// Python ends, there is nothing left to serve.
	serving, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(n.life, stop)()
	err = runner.RunForeign(serving, runner.Options{
		Getenv: o.Getenv, Listener: o.Listener, Logger: log, Ready: o.Ready,
		ShutdownTimeout: o.ShutdownTimeout,
		MaxCalls:        c.workers + c.queue, MaxBytes: max(queueBytes, 2*int64(c.maxMessageBytes)),
	}, n)
	if cause := context.Cause(n.life); err == nil && cause != nil && !errors.Is(cause, errStopped) {
		return fmt.Errorf("cannot keep node %q running: %w", c.node, cause)
	}
	return err
}
