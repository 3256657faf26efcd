package runner_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"krt.dev/kn-krt/pkg/runner"
)

// caller is a listener that is given the node's handler. Drained is whether it was closed
// when it was drained.
type caller struct {
	net.Listener
	handler chan http.Handler
	closed  atomic.Bool
	drained chan bool
}

func (c *caller) Handle(h http.Handler) func(context.Context) error {
	c.handler <- h
	return func(context.Context) error {
		c.drained <- c.closed.Load()
		return nil
	}
}

func (c *caller) Close() error {
	c.closed.Store(true)
	return c.Listener.Close()
}

// broken is a response that cannot be written.
type broken struct{ *httptest.ResponseRecorder }

func (broken) WriteHeader(int) { panic("no room") }

func TestACallerMayCallTheNode(t *testing.T) {
	log := &buffer{}
	l := &caller{Listener: listen(t), handler: make(chan http.Handler, 1), drained: make(chan bool, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		result <- runner.Run(ctx, runner.Options{
			Getenv: func(string) string { return "" }, Listener: l, Logger: slog.New(slog.NewTextHandler(log, nil)),
		}, nil, echo)
	}()
	h, alive := <-l.handler, httptest.NewRequest(http.MethodGet, "/healthz", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, alive)
	equal(t, "status", w.Code, http.StatusOK)
	func() {
		defer func() { equal[any](t, "panic", recover(), "no room") }()
		h.ServeHTTP(broken{httptest.NewRecorder()}, alive)
	}()
	logged := log.String()
	for _, part := range []string{"serving a request panicked", "no room", "caller_test.go"} {
		equal(t, part, strings.Contains(logged, part), true)
	}
	get(t, "http://"+l.Addr().String()+"/healthz") // it accepts
	cancel()
	equal(t, "result", <-result, nil)
	equal(t, "closed before", <-l.drained, true)
}
