package postgres_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/store/service"
	"krt.dev/kn-krt/test/store/server"
)

// A database that is away is shown by /readyz and by a metric, until it is back.
func TestTheServiceShowsThatTheDatabaseIsAway(t *testing.T) {
	database := server.Postgres(t)
	keys := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(keys, "current"), credential.NewKey(), 0o600))
	s, err := service.New(t.Context(), service.Config{Keys: keys, Documents: database.URL}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	}
	api, metrics := listen(), listen()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, api, metrics) }()
	defer func() { cancel(); require.NoError(t, <-ended) }()
	get := func(path string) (int, string) {
		response, err := http.Get("http://" + metrics.Addr().String() + path)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	ready := func() bool { status, _ := get("/readyz"); return status == http.StatusOK }
	require.Eventually(t, ready, 3*time.Minute, 50*time.Millisecond) // a busy machine may not respond in time at first
	require.Eventually(t, func() bool {
		_, page := get("/metrics")
		return strings.Contains(page, `krt_store_up{kind="measurement",sink="postgres"} 1`)
	}, 3*time.Minute, 50*time.Millisecond)

	database.Kill()
	status, text := get("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "PostgreSQL at "+database.Address+"/postgres does not respond")
	_, page := get("/metrics")
	require.Contains(t, page, `krt_store_up{kind="document",sink="postgres"} 0`)

	database.Start(t)
	require.Eventually(t, ready, 3*time.Minute, 50*time.Millisecond)
}
