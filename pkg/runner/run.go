package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/runner/promptio"
)

// HandlerInit runs once, before the node is ready. A panic in it ends the
// process with an error.
type HandlerInit func(ctx *HandlerContext)

// Handler runs for each event that reaches the node. Data is the message of the
// event. The message that Handler returns goes to the next node, or from the last
// node to the client. An error, or a panic, ends the workflow, and the client gets
// INTERNAL "error in '<node>': <text>". Handlers run concurrently; a panic in a
// goroutine that a handler starts ends the process, as in any Go program.
type Handler func(ctx *HandlerContext, data *anypb.Any) (proto.Message, error)

// Start runs the node until the process gets SIGTERM or SIGINT. It reads its settings
// from the environment. HandlerInit may be nil. If the node cannot start, Start prints
// why and exits with status 1.
func Start(handlerInit HandlerInit, handler Handler) { StartWith(Options{}, handlerInit, handler) }

// StartWith is [Start] with options.
func StartWith(o Options, handlerInit HandlerInit, handler Handler) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	// A second signal ends the process without waiting for the calls in flight.
	context.AfterFunc(ctx, stop)
	if err := Run(ctx, o, handlerInit, handler); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Options are what [Run] takes from its environment. [Start] uses the zero value.
type Options struct {
	// Getenv reads the environment. Default: os.Getenv.
	Getenv func(name string) string
	// Listener accepts the node's connections. Default: the inherited socket whose number
	// is KRT_LISTEN_FD, else the port PORT, else port 8080. Run closes it. If it is a
	// [Caller] too, those who connect to it may also call the node without a connection.
	Listener net.Listener
	// Logger writes the node's log lines. Default: to standard error, as text, as JSON
	// with KRT_LOG=json, or as bare lines with KRT_LOG=plain, at level info or
	// KRT_LOG_LEVEL.
	Logger *slog.Logger
	// InTurn limits how many calls run at a time to KRT_WORKERS, which is 1 to 256 and
	// by default 1. The others wait for their turn, in a queue of limited length and
	// until their deadline. Default: calls run concurrently, without a limit.
	InTurn bool
	// MaxCalls and MaxBytes limit the events, and the bytes of their data, that the node
	// holds at once, waiting or being processed. Further events are refused with 503
	// before their data is read, and the delivery sends them again. Default: with InTurn
	// 1,024 waiting calls and 64 MiB, otherwise no limit.
	MaxCalls int
	MaxBytes int64
	// Ready is called once, when init has returned and the node accepts events.
	Ready func()
	// ShutdownTimeout is how long the calls in flight may take to finish when the node
	// stops. Default: 30 s.
	ShutdownTimeout time.Duration
}

// Caller is a listener in the node's own process that passes requests to the node without a
// connection.
type Caller interface {
	// Handle gives it the node's handler, which it may call until the listener is closed, but
	// not for responses that are streams. Drain, which is called after that, waits until no call
	// is left; if ctx ends first, it cancels the contexts of their requests and returns an error.
	Handle(h http.Handler) (drain func(ctx context.Context) error)
}

// Run runs the node until ctx ends, then lets the calls in flight finish and returns
// nil. It returns an error before any event is accepted if a setting is wrong, the
// address cannot be listened on, or init panics; and later if the listener fails.
func Run(ctx context.Context, o Options, handlerInit HandlerInit, handler Handler) error {
	if handler == nil {
		return errors.New("cannot start the node: the handler is nil")
	}
	var init func(*node, context.Context) error
	if handlerInit != nil {
		init = func(n *node, ctx context.Context) error { return n.init(ctx, handlerInit) }
	}
	return run(ctx, o, handler.call, init, func() error { return nil })
}

func run(ctx context.Context, o Options, call invoke, init func(*node, context.Context) error, down func() error) error {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Logger == nil {
		logger, err := newSlog(os.Stderr, o.Getenv)
		if err != nil {
			return fmt.Errorf("cannot start the node: %w", err)
		}
		o.Logger = logger
	}
	c, err := readConfig(o)
	if err != nil {
		return fmt.Errorf("cannot start the node: %w", err)
	}
	listener, err := listen(o.Listener, c)
	if err != nil {
		return fmt.Errorf("cannot start node %q: %w", c.node, err)
	}
	s := &server{
		node: newNode(c, o.Logger, call), gate: newGate(o, c.turns), down: down,
		early: &gate{mostCalls: maxWaiting, mostBytes: maxWaitingBytes}, begun: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := s.run(ctx, o, listener, init); err != nil {
		return fmt.Errorf("cannot run node %q: %w", c.node, err)
	}
	return nil
}

// listen returns the given listener, or opens the one that c describes.
func listen(given net.Listener, c config) (net.Listener, error) {
	if given != nil {
		return given, nil
	}
	if c.listenFD < 0 {
		return net.Listen("tcp", ":"+strconv.Itoa(c.port))
	}
	// FileListener uses a copy that child processes of the node do not inherit.
	file := os.NewFile(uintptr(c.listenFD), environment.ListenFD)
	defer func() { _ = file.Close() }()
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %d is not a listening socket: %w", environment.ListenFD, c.listenFD, err)
	}
	return listener, nil
}

// run serves until ctx ends. It does so while init, if any, still runs, so that
// liveness can be probed.
func (s *server) run(ctx context.Context, o Options, listener net.Listener, init func(*node, context.Context) error) error {
	defer s.node.copies.close()
	end := sync.OnceFunc(func() { close(s.ended) })
	defer end()
	hs := s.httpServer()
	initialised := make(chan error, 1)
	if init == nil {
		s.ready.Store(true) // or the first events would wait for no reason
		initialised <- nil
	} else {
		go func() { initialised <- init(s.node, ctx) }()
	}
	served := make(chan error, 1)
	drain := s.offer(listener)
	go func() { served <- hs.Serve(promptio.Listen(listener)) }()
	for {
		select {
		case err := <-initialised:
			if err != nil {
				return errors.Join(err, hs.Close())
			}
			initialised = nil // once
			s.ready.Store(true)
			close(s.begun)
			s.node.log.Info("ready", told(listener.Addr())...)
			if o.Ready != nil {
				o.Ready()
			}
		case err := <-served:
			return err
		case <-ctx.Done():
			end()
			s.stop(hs, drain, cmp.Or(o.ShutdownTimeout, 30*time.Second))
			return nil
		}
	}
}

// init runs the user's init; a panic in it becomes an error.
func (n *node) init(ctx context.Context, handlerInit HandlerInit) (err error) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error("init panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("init panicked: %v", p)
		}
	}()
	c := n.newContext(ctx, nil)
	handlerInit(c)
	return nil
}

// stop lets the calls in flight finish, and cancels those that take longer than
// patience.
func (s *server) stop(hs *http.Server, drain func(context.Context) error, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := errors.Join(hs.Shutdown(ctx), drain(ctx)); err != nil {
		s.node.log.Warn("stopped with calls in flight: they did not finish in time", "timeout", patience)
		_ = hs.Close()
	}
}

// told is what is logged of the address at which a node listens: nothing of one within its own process, which
// nobody else can reach.
func told(address net.Addr) []any {
	switch address.(type) {
	case *net.TCPAddr, *net.UnixAddr:
		return []any{"address", address.String()}
	}
	return nil
}
