package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc"

	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// Update makes v what is served from now on, atomically: a request goes through
// the version it began with. drained is closed once no request that began with
// the old version is left, the rest of a workflow behind an early reply
// included. On error, such as that the entrypoint is stopping, the old version stays.
func (e *Entrypoint) Update(v Version) (drained <-chan struct{}, err error) {
	t, err := e.newTable(v)
	if err != nil {
		return nil, err
	}
	return e.install(t)
}

func (e *Entrypoint) install(t *table) (<-chan struct{}, error) {
	e.swap.Lock()
	defer e.swap.Unlock()
	if e.closed {
		return nil, fmt.Errorf("cannot serve version %q: the entrypoint is stopping", t.version.Name)
	}
	old := e.table.Swap(t)
	e.served = append(slices.DeleteFunc(e.served, (*table).left), t)
	e.reportHealth(old, t)
	if old == nil {
		return nil, nil
	}
	old.release()
	return old.drained, nil
}

// close lets the last table go. There is none after it. It returns what is closed
// once no request of any table is left.
func (e *Entrypoint) close() <-chan struct{} {
	e.swap.Lock()
	defer e.swap.Unlock()
	e.closed = true
	e.table.Load().release()
	drained := make(chan struct{})
	go func() { // ends: what is left of requests is ended when a stop takes too long
		defer close(drained)
		for _, t := range e.served {
			<-t.drained
		}
	}()
	return drained
}

// Serve serves on l until ctx is done, then stops gracefully: no new
// connections, GOAWAY on the old ones, requests in flight finish while replies
// are still taken, at most for ConnectionGrace; what is left then is answered
// with a failure. It closes the listeners. The error is that of the first server that failed, or of a stop that had to be
// forced.
func (e *Entrypoint) Serve(ctx context.Context, l Listeners) error {
	advertise := e.options.Advertise
	if advertise == "" {
		advertise = l.Reply.Addr().String()
	}
	sealer, err := newSealer(e.options.Key, e.table.Load().version.Name, advertise)
	if err != nil {
		return err
	}
	e.sealer = sealer

	grpcServer := e.newGRPCServer()
	webServer := e.newWebServer(web.GuardHost(e.webHandler(), l.Web.Addr()), e.options.ConnectionAge)
	reply := e.newReplyServer(l.Reply.Addr())
	replies := e.budget.Listen(l.Reply)
	replies.Yields = true
	failed := make(chan error, 3)
	go func() { failed <- grpcServer.Serve(e.budget.Listen(l.GRPC)) }()
	go func() { failed <- ignoreClosed(webServer.Serve(e.budget.Listen(l.Web))) }()
	go func() { failed <- ignoreClosed(reply.Serve(replies)) }()
	go e.budget.Watch(e.base.Done())
	e.setReady(true)

	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("cannot serve: %w", err)
	}
	e.setReady(false)
	return errors.Join(err, e.stop(grpcServer, webServer, reply))
}

// lastWords is how long the failures may take that a forced stop answers with.
const lastWords = 2 * time.Second

// stop ends the servers in the order that loses nothing: callers first, the
// reply port last, for what is in flight still needs it.
func (e *Entrypoint) stop(grpcServer *grpc.Server, webServer, reply *http.Server) error {
	e.leave()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		grpcServer.GracefulStop()
	}()
	// callers waits until the callers have their answers.
	callers := func(ctx context.Context) error {
		err := webServer.Shutdown(ctx)
		select {
		case <-drained:
		case <-ctx.Done():
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.options.ConnectionGrace)
	defer cancel()
	errWeb := callers(ctx)
	left := e.close()
	var err error
	select {
	case <-left:
		e.end(errStopping)
	case <-ctx.Done():
		err = fmt.Errorf("stopped with %d requests unfinished after %s", e.inFlight.Load(), e.options.ConnectionGrace)
		e.end(errStopping)
		last, done := context.WithTimeout(context.Background(), lastWords)
		defer done()
		_ = callers(last)
	}
	grpcServer.Stop()
	_ = webServer.Close()
	_ = reply.Close()
	e.sender.Close()
	if errors.Is(errWeb, context.DeadlineExceeded) {
		errWeb = nil // said by err
	}
	return errors.Join(err, errWeb)
}

func (e *Entrypoint) setReady(ready bool) {
	e.ready.Store(ready)
	if ready {
		e.health.Resume()
		e.reportHealth(nil, e.table.Load())
		return
	}
	e.health.Shutdown()
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
