package warm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// path is responded to by what runs a node's handler, without calling it: 200 once it is ready.
	path = "/readyz"
	// longest bounds the wait for a node. Knative's activator gives up after as long.
	longest = 10 * time.Minute
	// maxBytes bounds what is read of a response.
	maxBytes = 4 << 10
)

// Client wakes nodes, by a request that passes through Knative's activator. Its methods may be called from several
// goroutines.
type Client struct{ http *http.Client }

// NewClient returns a client; dial replaces how connections are made, nil for the network. It keeps no
// connections and follows no redirects.
func NewClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	if dial == nil {
		dial = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	return &Client{&http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       longest,
	}}
}

// Wake wakes the node whose Knative Service has the given URL. It returns once the node is up, or why it is not.
func (c *Client) Wake(ctx context.Context, service string) error {
	// No header may say that it is a probe: the activator and queue-proxy respond to probes themselves.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(service, "/")+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kn-krt")
	response, err := c.http.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			return failed.Err // the URL is in the log already
		}
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBytes))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the response has status %d", response.StatusCode)
	}
	return nil
}
