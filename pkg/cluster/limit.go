package cluster

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// RequestTimeout is how long one request may take until its response has been read. The API
// server itself allows a minute, but what a [Client] asks for is there at once or not at all.
// What has no end (watches, logs that are followed, port-forwards) has no limit. A log that
// is read to its end has one for each read, because its lines may be processed slowly.
const RequestTimeout = 30 * time.Second

// timeLimit gives each request an end: an API server that accepts a connection and never
// responds would block its client forever.
type timeLimit struct {
	next  http.RoundTripper
	limit time.Duration
}

// RoundTrip sends the request; the limit holds until its response has been read.
func (t *timeLimit) RoundTrip(r *http.Request) (*http.Response, error) {
	if isEndless(r) {
		return t.next.RoundTrip(r)
	}
	ctx, cancel := context.WithTimeout(r.Context(), t.limit)
	response, err := t.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &limitedBody{response.Body, cancel}
	return response, nil
}

// isEndless reports whether the request has no limit (see [RequestTimeout]).
func isEndless(r *http.Request) bool {
	query, path := r.URL.Query(), strings.Split(r.URL.Path, "/")
	n := len(path)
	log := n > 5 && path[n-1] == "log" && path[n-3] == "pods" && path[n-5] == "namespaces" // not a version of that name
	return log || query.Has("watch") || query.Has("follow") || r.Header.Get("Upgrade") != ""
}

// limitedBody ends its request's context when it is closed.
type limitedBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
