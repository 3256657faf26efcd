package entrypoint

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc"

	"krt.dev/kn-krt/pkg/entrypoint/web"
	"krt.dev/kn-krt/pkg/runner/promptio"
)

// Listeners are the ports of an entrypoint.
type Listeners struct {
	// GRPC is for gRPC (9000 in a cluster).
	GRPC net.Listener
	// Web is for JSON, Connect, gRPC-Web and CloudEvents (8080).
	Web net.Listener
	// Reply is for replies of nodes, dead letters, metrics and probes (8081).
	Reply net.Listener
	// Inspection is for the requests that are kept (see package inspection). It must be a
	// loopback address: whoever reaches it reads them. Nil: they are not served.
	Inspection net.Listener
}

// Close closes the listeners that are open.
func (l Listeners) Close() error {
	var errs []error
	for _, one := range []net.Listener{l.GRPC, l.Web, l.Reply, l.Inspection} {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

// Update makes v what is served from now on, atomically: a request goes through the version it began with.
// drained is closed once no request that began with the old version is left, the rest of a workflow behind an
// early reply included. On error, such as that the entrypoint is stopping, the old version stays.
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
	for i := range t.version.Workflows {
		w := &t.version.Workflows[i]
		e.metrics.Workflow(w.Name, w.nodes(), w.Method.IsStreamingServer())
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

// close releases the last table. There is none after it. It returns what is closed once no request of any table
// is left.
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

// Serve serves on l until ctx is done, then stops gracefully: no new connections, GOAWAY on the old ones,
// requests in flight finish while replies are still accepted, at most for ConnectionGrace; what is left then
// ends with a failure. It closes the listeners. The error is that of the first server that failed, or of a stop
// that had to be forced.
func (e *Entrypoint) Serve(ctx context.Context, l Listeners) (err error) {
	_, e.grpcPort, _ = net.SplitHostPort(l.GRPC.Addr().String())
	grpcServer := e.newGRPCServer()
	pages := web.GuardHost(e.webHandler(), l.Web.Addr())
	if e.options.Reserved != nil {
		pages = web.Reserve(e.leaving, e.options.Reserved, pages)
	}
	webServer := e.newServer(pages, e.options.ConnectionAge)
	reply := e.newReplyServer(l.Reply.Addr())
	replies := e.budget.Listen(promptio.Listen(l.Reply))
	replies.Yields, replies.Most = true, maxReplyConnections
	failed := make(chan error, 4)
	go func() { failed <- grpcServer.Serve(e.budget.Listen(promptio.Listen(l.GRPC))) }()
	go func() { failed <- ignoreClosed(webServer.Serve(e.budget.Listen(promptio.Listen(l.Web)))) }()
	go func() { failed <- ignoreClosed(reply.Serve(replies)) }()
	inspection := &http.Server{ReadHeaderTimeout: web.ReadHeaderTimeout} // without a listener it serves nothing
	if l.Inspection != nil {
		inspection = e.newInspectionServer(l)
		go func() { failed <- ignoreClosed(inspection.Serve(l.Inspection)) }()
	}
	go e.budget.Watch(e.base.Done())
	go e.traffic.Watch(e.base.Done())
	go e.clients.Watch(e.base)
	if e.options.Queue != nil {
		if err := e.options.Queue.Start(home{e}); err != nil {
			return errors.Join(fmt.Errorf("cannot serve: %w", err), l.Close())
		}
	}
	e.setReady(true)

	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("cannot serve: %w", err)
	}
	e.setReady(false)
	err = errors.Join(err, e.stop(grpcServer, webServer, reply))
	// Followers leave by themselves; closed at once, one would read an error and not the end.
	last, done := context.WithTimeout(context.Background(), forcedTime)
	defer done()
	if inspection.Shutdown(last) != nil {
		_ = inspection.Close()
	}
	return err
}

// forcedTime is how long it may take to send the failures of a forced stop, and the ends of responses on the inspection
// port, and connectTime how long to connect to a canary or a node; 0 is the default there. Tests raise both.
var forcedTime, connectTime = 2 * time.Second, time.Duration(0)

// stop ends the servers in the order that loses nothing: those of clients first, the reply port last, because
// what is in flight still needs it.
func (e *Entrypoint) stop(grpcServer *grpc.Server, webServer, reply *http.Server) error {
	e.leave()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		grpcServer.GracefulStop()
	}()
	// wait waits until the clients have their responses.
	wait := func(ctx context.Context) error {
		err := webServer.Shutdown(ctx)
		select {
		case <-drained:
		case <-ctx.Done():
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.options.ConnectionGrace)
	defer cancel()
	errWeb := wait(ctx)
	if e.options.Queue != nil {
		e.options.Queue.Stop(ctx)
	}
	left := e.close()
	e.options.Mail.Last()
	var err error
	select {
	case <-left:
		e.end(errStopping)
	case <-ctx.Done():
		err = fmt.Errorf("stopped with %d requests unfinished after %s", e.inFlight.Load(), e.options.ConnectionGrace)
		e.end(errStopping)
		last, done := context.WithTimeout(context.Background(), forcedTime)
		defer done()
		_ = wait(last)
		select { // what is kept of them is on its way to the store
		case <-left:
		case <-last.Done():
		}
	}
	grpcServer.Stop()
	_ = webServer.Close()
	_ = reply.Close()
	e.sender.Close()
	e.traffic.Close()
	if errors.Is(errWeb, context.DeadlineExceeded) {
		errWeb = nil // err reports it
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
