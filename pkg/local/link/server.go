package link

import (
	"context"
	"net/http"
	"sync"
)

// server is a handler that is called without a connection.
type server struct {
	handler http.Handler
	base    context.Context
	cancel  context.CancelFunc
	calls   sync.WaitGroup // begun under the link's lock, while it is the link's server
}

// Handler returns the handler that serves the link's connections at present, the context that
// those of its requests are made of, and what is to be called once it has served one. Nil: there
// is none that may be called without a connection, and those that are made wait for one.
func (l *Link) Handler() (h http.Handler, base context.Context, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		return nil, nil, nil
	}
	l.server.calls.Add(1)
	return l.server.handler, l.server.base, l.server.calls.Done
}

// leave ends s as the link's server.
func (l *Link) leave(s *server) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s != nil && l.server == s {
		l.server = nil
	}
}

// Handle lets the handler of the connections that l accepts be called without one too, until l
// is closed. Drain, which must not be called earlier, waits until no such call is left; if ctx
// ends first, it cancels the contexts of their requests.
func (l *listener) Handle(h http.Handler) (drain func(context.Context) error) {
	s := &server{handler: h}
	s.base, s.cancel = context.WithCancel(context.Background())
	l.server = s
	l.link.mu.Lock()
	l.link.server = s
	l.link.mu.Unlock()
	return func(ctx context.Context) error {
		defer s.cancel()
		over := make(chan struct{})
		go func() {
			s.calls.Wait()
			close(over)
		}()
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
