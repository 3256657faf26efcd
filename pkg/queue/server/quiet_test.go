package server_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

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
	eventually(t, func() error { return c.Publish(t.Context(), event("1")) })
	ctx, cancel := context.WithCancel(t.Context())
	fetched := func() error {
		return c.Fetch(ctx, step, 2, 1<<20, func(r *client.Received) {
			eventually(t, func() error { return r.Ack(t.Context()) })
			cancel() // and wait for no more, as a replica that stops
		})
	}
	eventually(t, func() error { return errors.Join(fetched(), unless(ctx.Err() != nil)) })
	eventually(t, func() error { return c.Sweep(t.Context()) })
	c.Close()
	q.Stop()
	var said []string
	for line := range strings.Lines(log.text()) {
		if !slowness.MatchString(line) {
			said = append(said, line)
		}
	}
	require.Empty(t, said)
}

// slowness is what the server of NATS warns of if this machine is slow.
var slowness = regexp.MustCompile(`Readloop processing time|took too long`)

// unless is an error unless what is waited for has come.
func unless(come bool) error {
	if come {
		return nil
	}
	return errors.New("it has not come yet")
}

// Of a client that is refused the log says once which it is, and why.
func TestRefusedClientIsNamed(t *testing.T) {
	i, log := install(t), &safe{}
	q, err := server.Start(t.Context(), i.config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	require.NoError(t, err)
	c, err := client.Connect(queue.Settings{URL: "nats://" + q.Addr()}, client.Options{
		Namespace: "team", Version: "v1", Files: map[string][]byte{queue.FileCredential: []byte("former")},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	eventually(t, func() error {
		if !strings.Contains(log.text(), "client=team/v1") {
			return errors.New(log.text())
		}
		return nil
	})
	c.Close()
	q.Stop()
	require.Contains(t, log.text(), "a client is refused")
	require.NotContains(t, log.text(), "authentication error")
	require.NotContains(t, log.text(), "former", "what it has shown is a secret")
}
