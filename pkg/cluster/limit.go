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
	query := r.URL.Query()
	if query.Has("watch") || query.Has("follow") || strings.HasSuffix(r.URL.Path, "/log") || r.Header.Get("Upgrade") != "" {
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

// limitedBody ends its request's context when it is closed.
type limitedBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

func (b *limitedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
