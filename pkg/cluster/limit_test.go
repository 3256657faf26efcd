package cluster

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRequestsAreLimitedInTime(t *testing.T) {
	released := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			_, _ = io.WriteString(w, "here")
			return
		}
		select {
		case <-released:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	do := func(target string, limit time.Duration) (string, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+target, nil)
		require.NoError(t, err)
		response, err := (&http.Client{Transport: &timeLimit{next: http.DefaultTransport, limit: limit}}).Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return string(text), err
	}

	text, err := do("/quick", time.Minute)
	require.NoError(t, err)
	require.Equal(t, "here", text)
	for _, silent := range []string{
		"/silent", "/apis/krt.dev/v1alpha1/namespaces/ns/versions/log", "/apis/krt.dev/v1alpha1/namespaces/pods/versions/log",
	} {
		_, err = do(silent, time.Millisecond)
		require.ErrorIs(t, err, context.DeadlineExceeded, silent)
	}

	close(released)
	for _, endless := range []string{"/silent?watch=true", "/silent?follow=true", "/api/v1/namespaces/ns/pods/log/log"} {
		_, err := do(endless, 0)
		require.NoError(t, err, endless)
	}
}
