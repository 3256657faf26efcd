package controller

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

const (
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
)

// freeAddress is one of this machine at which nothing listens. Others have their own connections and servers at
// 127.0.0.1, where they might take the port.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.43.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func probe(t *testing.T, address, path string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestAwaitServer(t *testing.T) {
	t.Parallel()
	probes := freeAddress(t)
	var asked atomic.Int64
	// Unavailable once, and then only once the probes have been looked at.
	looked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			<-looked
			fmt.Fprint(w, `{"major": "1", "minor": "35"}`)
		}
	}))
	defer server.Close()
	done := make(chan error, 1)
	go func() { done <- awaitServer(t.Context(), &rest.Config{Host: server.URL}, probes) }()
	require.Eventually(t, func() bool { return asked.Load() == 2 }, patience, tick)
	require.Equal(t, http.StatusOK, probe(t, probes, "/healthz"))
	require.Equal(t, http.StatusServiceUnavailable, probe(t, probes, "/readyz"))
	close(looked)
	require.NoError(t, <-done)
	require.Zero(t, probe(t, probes, "/healthz"), "the address is free for what follows")
}

// A server that refuses this process is there: what it refuses is told by what is asked next.
func TestAwaitServerThatRefuses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer server.Close()
	require.NoError(t, awaitServer(t.Context(), &rest.Config{Host: server.URL}, ""))
}

func TestAwaitServerEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	probes := freeAddress(t)
	done := make(chan error, 1)
	go func() { done <- awaitServer(ctx, &rest.Config{Host: "http://" + freeAddress(t)}, probes) }()
	require.Eventually(t, func() bool { return probe(t, probes, "/healthz") == http.StatusOK }, patience, tick)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestAwaitServerNeedsItsAddress(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	err = awaitServer(t.Context(), &rest.Config{Host: "http://" + freeAddress(t)}, l.Addr().String())
	require.ErrorContains(t, err, "address already in use")
}
