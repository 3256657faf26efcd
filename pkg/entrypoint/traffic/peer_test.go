package traffic

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClientsInAHurryDoNotKeepOthersFromTheCanary: they give up before a connection can be made.
func TestClientsInAHurryDoNotKeepOthersFromTheCanary(t *testing.T) {
	p := newPeer("127.0.0.1:1", "127.0.0.1:1", 1, connectTime)
	defer p.release()
	try := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout+lateBy)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://canary/", http.NoBody)
		require.NoError(t, err)
		_, err = p.roundTrip(ctx, r)
		return err
	}
	var refusing atomic.Bool
	dial := p.web.DialContext
	p.web.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if refusing.Load() {
			return dial(ctx, network, "127.0.0.1:1")
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	require.ErrorIs(t, try(4*time.Millisecond), errNoConnection)
	require.False(t, p.circuit.open(time.Now()))
	require.ErrorIs(t, try(4*leastPatience+time.Second), errNoConnection)
	require.True(t, p.circuit.open(time.Now()), "the network hangs")

	p.circuit.succeed()
	refusing.Store(true)
	require.Error(t, try(time.Second))
	require.True(t, p.circuit.open(time.Now()), "nothing listens")
}
