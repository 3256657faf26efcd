package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestTime is how long a cluster may take to answer one request. It gives itself
// a minute, but what these verbs ask for is there at once or not at all.
const requestTime = 30 * time.Second

// patience gives each request an end: a cluster that takes a connection and never
// answers would hold a verb for ever. What goes on by its nature has none.
type patience struct {
	next  http.RoundTripper
	limit time.Duration
}

// RoundTrip sends the request; the limit holds until its answer has been read.
func (p *patience) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	if query.Has("watch") || query.Has("follow") || r.Header.Get("Upgrade") != "" {
		return p.next.RoundTrip(r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.limit)
	response, err := p.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &limitedBody{response.Body, cancel}
	return response, nil
}

// limitedBody ends its request's context with itself.
type limitedBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// requestLog writes a line for each request, its secrets left out.
type requestLog struct {
	next http.RoundTripper
	w    io.Writer
}

// RoundTrip sends the request and writes its line.
func (l *requestLog) RoundTrip(r *http.Request) (*http.Response, error) {
	begun := time.Now()
	response, err := l.next.RoundTrip(r)
	took := time.Since(begun).Round(time.Millisecond)
	if err != nil {
		fmt.Fprintf(l.w, "%s %s: %v in %v\n", r.Method, r.URL, err, took)
		return nil, err
	}
	fmt.Fprintf(l.w, "%s %s: %s in %v\n", r.Method, r.URL, strings.TrimSpace(response.Status), took)
	return response, err
}
