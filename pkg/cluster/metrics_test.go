package cluster

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMetricsOfAllReplicas(t *testing.T) {
	s, c := newReplicaSet(t)
	m := c.Metrics("one", "a format")
	defer m.Close()
	read := func() (map[string]string, []string) {
		seen := map[string]string{}
		missing, err := m.Read(t.Context(), func(pod string, metrics io.Reader) error {
			text, err := io.ReadAll(metrics)
			seen[pod] = string(text)
			return err
		})
		require.NoError(t, err)
		return seen, missing
	}
	s.add("one-1")
	s.add("one-2")
	s.add("one-3").refuses = "connection refused"
	both := map[string]string{"one-1": "one-1 as a format", "one-2": "one-2 as a format"}
	for range 3 { // again, over the same connections
		seen, missing := read()
		require.Equal(t, both, seen)
		require.Equal(t, []string{"one-3"}, missing)
		require.Len(t, m.open, 2)
	}
	connection := m.open["one-2"]
	s.delete("one-1")
	seen, _ := read()
	require.Equal(t, map[string]string{"one-2": both["one-2"]}, seen)
	require.Equal(t, map[string]*metricsPod{"one-2": connection}, m.open)

	connection.tunnel.Close() // as when the laptop slept
	seen, _ = read()
	require.Equal(t, map[string]string{"one-2": both["one-2"]}, seen)
}

func TestMetricsThatCannotBeRead(t *testing.T) {
	s, c := newReplicaSet(t)
	m := c.Metrics("one", "a format")
	_, err := m.Read(t.Context(), nil)
	var unavailable *UnavailableError
	require.ErrorAs(t, err, &unavailable)

	s.add("one-1")
	_, err = m.Read(t.Context(), func(string, io.Reader) error { return errors.New("it is text") })
	require.ErrorContains(t, err, `cannot read the metrics of version "one"`)
	require.ErrorContains(t, err, "it is text")

	s.add("one-2").denies = true
	s.delete("one-1")
	_, err = m.Read(t.Context(), nil)
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ReasonForbidden, refused.Reason)
}

// A pod that does not respond in time keeps no connection that nobody closes.
func TestMetricsThatAreSlowLeaveNoConnection(t *testing.T) {
	s, c := newReplicaSet(t)
	s.add("one-1")
	m := c.Metrics("one", "a format")
	defer m.Close()
	_, err := m.Read(t.Context(), func(string, io.Reader) error { return nil })
	require.NoError(t, err)
	connection := m.open["one-1"].tunnel

	ctx, cancel := context.WithCancel(t.Context())
	_, err = m.Read(ctx, func(string, io.Reader) error {
		cancel()
		return ctx.Err()
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, m.open)
	response, err := connection.Client(8081).Get(metricsURL)
	if err == nil {
		_ = response.Body.Close()
	}
	require.Error(t, err, "the tunnel is closed")
}
