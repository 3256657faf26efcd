package local

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// frontHeaderTime is how long a client may take to send a request's header.
const frontHeaderTime = 10 * time.Second

// frontPatience is how long pages may take to receive how the run ended. Tests take longer.
var frontPatience = time.Second

// front serves the dashboard on the web port until the entrypoint serves it there: a node that
// does not start is seen by then or never. A page that was opened before goes on through it until
// the run has ended. A nil front serves nothing.
type front struct {
	lease  *lease
	server *http.Server
	served chan struct{} // closed when no more connections are accepted
}

// newFront serves the dashboard, if there is one, on l, which the run still closes.
func newFront(l net.Listener, dashboard http.Handler, log *slog.Logger) *front {
	if dashboard == nil {
		return nil
	}
	f := &front{
		lease: &lease{Listener: l, over: make(chan struct{})},
		server: &http.Server{
			ReadHeaderTimeout: frontHeaderTime,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		served: make(chan struct{}),
	}
	f.server.Handler = f.handler(dashboard)
	// One request a connection: the next one is the entrypoint's.
	f.server.SetKeepAlivesEnabled(false)
	go func() {
		defer close(f.served)
		_ = f.server.Serve(f.lease) // that it cannot accept is what the entrypoint reports
	}()
	return f
}

// handler serves the dashboard, and refuses what only a version that is ready can serve. Once the
// entrypoint serves the port, that is passed on to it: the connection may have been opened before.
func (f *front) handler(dashboard http.Handler) http.Handler {
	address := f.lease.Addr().String()
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", address }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if web.IsReserved(r.URL.Path) {
			dashboard.ServeHTTP(w, r)
			return
		}
		select {
		case <-f.lease.over:
			pass.ServeHTTP(w, r)
			return
		default:
		}
		w.Header().Set("Retry-After", "1")
		web.Refuse(w, r, &spb.Status{
			Code: int32(code.Code_UNAVAILABLE), Message: "the version is starting; " + web.ReservedPath + " shows how far it is",
		})
	})
}

// release gives the listener back to be served by another server. Requests that have arrived go on.
func (f *front) release() {
	if f == nil {
		return
	}
	close(f.lease.over)
	f.lease.deadline(time.Now())
	<-f.served
	f.lease.deadline(time.Time{})
}

// close ends what is left, after it has had the time to end by itself.
func (f *front) close() {
	if f == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), frontPatience)
	defer cancel()
	_ = f.server.Shutdown(ctx)
	_ = f.server.Close()
}

// lease is a listener that ends without being closed.
type lease struct {
	net.Listener
	over chan struct{} // closed at its end
}

// Accept returns net.ErrClosed after the end.
func (l *lease) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		select {
		case <-l.over:
			return nil, net.ErrClosed
		default:
		}
	}
	return connection, err
}

// Close leaves the listener open: it is not the server's.
func (l *lease) Close() error { return nil }

// deadline is when a wait for a connection ends.
func (l *lease) deadline(at time.Time) {
	if t, ok := l.Listener.(*net.TCPListener); ok {
		_ = t.SetDeadline(at)
	}
}
