package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/queue/server"
)

// safe is a buffer for several goroutines.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// What the controller and entrypoints do all the time is no warning in the log, which people read when
// something is wrong.
func TestUseIsNoWarning(t *testing.T) {
	i, log := install(t), &safe{}
	q, err := server.Start(t.Context(), i.config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	require.NoError(t, err)
	c := i.own(t, q, "v1")
	for range 3 { // as the controller does
		require.NoError(t, queue.Probe(t.Context(), "nats://"+q.Addr()))
		files := map[string][]byte{queue.FileCredential: []byte(credential.New(i.key, holder("v1")))}
		other, err := client.Connect(queue.Settings{URL: "nats://" + q.Addr()}, client.Options{
			Namespace: "team", Version: "v1", Files: files, Logger: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		eventually(t, func() error { _, err := other.Find(t.Context(), "team", "v1"); return err })
		other.Close()
	}
	require.NoError(t, c.Publish(t.Context(), event("1")))
	require.NoError(t, fetchOne(t, c).Ack(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, c.Fetch(ctx, step, 1, 1<<20, func(*client.Received) {}))
	require.NoError(t, c.Sweep(t.Context()))
	c.Close()
	q.Stop()
	require.Empty(t, log.text())
}
