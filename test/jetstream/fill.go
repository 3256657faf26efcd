package jetstream

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// Fill has a stream of the server with a URL hold no more than it has: it is full until something of that is done.
func Fill(t testing.TB, url, stream string) {
	t.Helper()
	conn, err := nats.Connect(url)
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s, err := js.Stream(t.Context(), stream)
		if err != nil {
			return false
		}
		about := s.CachedInfo()
		about.Config.MaxBytes = int64(about.State.Bytes)
		_, err = js.UpdateStream(t.Context(), about.Config)
		return err == nil
	}, readyTime, 10*time.Millisecond, "the stream %s does not change", stream)
}
