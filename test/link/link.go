// Package link puts nodes behind what a network and a cluster of many machines have and loopback has
// not: distance, little bandwidth, connections that break, and clocks that differ.
package link

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Link is what is between an entrypoint and a node.
type Link struct {
	// Delay is how long each direction takes, and PerSecond how many bytes pass; 0 for no bound.
	Delay     time.Duration
	PerSecond int
	// Ahead is by how much the node's clock is ahead of the entrypoint's; negative if it is behind.
	// What crosses the wire is all that either knows of the other's clock: the deadline of an event
	// is so much nearer by the node's, and the times that it reports are so much later.
	Ahead time.Duration
	// Break breaks the connection of each Break-th event, after the node has worked on it; 0 for none.
	// One that is sent again arrives: who sends has a bounded number of attempts.
	Break int64

	events atomic.Int64
	broken sync.Map // by the events' ids
}

// Events is how many have passed.
func (l *Link) Events() int64 { return l.events.Load() }

// To returns a handler that passes events on to the node at an address.
func (l *Link) To(node string) http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: node})
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	proxy.ModifyResponse = func(r *http.Response) error {
		if s := event.ReadSteps(r.Header); s != "" {
			l.shift(s).WriteHeader(r.Header)
		}
		r.Body = l.slow(r.Request.Context(), r.Body)
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := l.events.Add(1)
		if deadline, err := time.Parse(time.RFC3339Nano, r.Header.Get(headerDeadline)); err == nil {
			r.Header.Set(headerDeadline, deadline.Add(-l.Ahead).UTC().Format(time.RFC3339Nano))
		}
		wait(r.Context(), l.Delay)
		r.Body = l.slow(r.Context(), r.Body)
		if l.breaks(n, r.Header.Get(headerID)) {
			proxy.ServeHTTP(&sink{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(&late{ResponseWriter: w, ctx: r.Context(), delay: l.Delay}, r)
	})
}

// The attributes id and krtdeadline over HTTP.
const headerID, headerDeadline = "Ce-Id", "Ce-Krtdeadline"

// breaks reports whether the connection of the n-th event breaks.
func (l *Link) breaks(n int64, id string) bool {
	if l.Break == 0 || n%l.Break != 0 {
		return false
	}
	_, again := l.broken.LoadOrStore(id, true)
	return !again
}

// shift moves the times that a node reports.
func (l *Link) shift(s event.Steps) (shifted event.Steps) {
	for _, step := range s.AppendTo(nil) {
		step.Start = step.Start.Add(l.Ahead)
		shifted = shifted.Append(step)
	}
	return shifted
}

// Listen serves the link to a node on a free port until the context ends, and returns that address.
func (l *Link) Listen(ctx context.Context, node string) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: l.To(node), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return listener.Addr().String(), nil
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// slow reads at the link's rate.
func (l *Link) slow(ctx context.Context, body io.ReadCloser) io.ReadCloser {
	if l.PerSecond == 0 || body == nil {
		return body
	}
	return &slowBody{ReadCloser: body, ctx: ctx, perSecond: l.PerSecond}
}

type slowBody struct {
	io.ReadCloser
	ctx       context.Context
	perSecond int
}

// Read reads a twentieth of a second's worth at most, and takes as long.
func (s *slowBody) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p[:min(len(p), max(1, s.perSecond/20))])
	wait(s.ctx, time.Second*time.Duration(n)/time.Duration(s.perSecond))
	return n, err
}

// late sends the head of a response after a delay.
type late struct {
	http.ResponseWriter
	ctx   context.Context
	delay time.Duration
}

func (l *late) WriteHeader(code int) {
	wait(l.ctx, l.delay)
	l.ResponseWriter.WriteHeader(code)
}

func (l *late) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// sink is a response that nobody gets.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}
