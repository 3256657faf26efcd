package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// How readiness is asked for. The node's socket exists before its process
// listens, so the first question usually waits for the answer instead of being
// repeated; a runner whose init is still running returns 503 until it is ready.
const (
	readyTimeout  = time.Second
	readyInterval = 20 * time.Millisecond
)

// waitingNotice is how often a node that is not ready yet is mentioned.
const waitingNotice = 10 * time.Second

// ErrNotReady is part of the error of a node that was given up before it was ready.
var ErrNotReady = errors.New("not ready")

// awaitReady returns when the runner behind a door reports that it is ready. The error
// has the time it was given, or is ctx's.
func awaitReady(ctx context.Context, at *door, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w after %s", ErrNotReady, limit))
	defer cancel()
	client := &http.Client{
		Timeout:   readyTimeout,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: at.dial},
	}
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for !isReady(ctx, client, at.url) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}

func isReady(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4<<10))
	return response.StatusCode == http.StatusOK
}
