// Package limit bounds how long requests to an API server may take.
package limit

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// limited bounds all requests in time but watches: an API server that accepts a connection
// and never responds would block its client forever.
type limited struct {
	client.Client

	unlimited client.WithWatch
}

// Client makes a client whose requests, all but watches, may take no longer than limit until
// their response has been read, together with their retries.
func Client(config *rest.Config, o client.Options, limit time.Duration) (client.WithWatch, error) {
	transport, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	o.HTTPClient = transport
	unlimited, err := client.NewWithWatch(config, o)
	if err != nil {
		return nil, err
	}
	bounded := *transport
	bounded.Timeout = limit
	o.HTTPClient = &bounded
	inner, err := client.New(config, o)
	return &limited{Client: inner, unlimited: unlimited}, err
}

// Watch has no limit.
func (l *limited) Watch(ctx context.Context, list client.ObjectList, o ...client.ListOption) (watch.Interface, error) {
	return l.unlimited.Watch(ctx, list, o...)
}

// Impatient lets client-go not wait for as long as an API server asks for (Retry-After) if
// that is longer than limit: the response is returned as an error at once.
func Impatient(next http.RoundTripper, limit time.Duration) http.RoundTripper {
	return &impatient{next: next, limit: limit}
}

type impatient struct {
	next  http.RoundTripper
	limit time.Duration
}

// RoundTrip sends the request.
func (t *impatient) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err == nil {
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > int(t.limit.Seconds()) {
			response.Header.Del("Retry-After")
		}
	}
	return response, err
}
