package server

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	nats "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// comer is a client that asks to be let in.
type comer struct {
	nats.ClientAuthentication
	name string
}

// GetOpts implements the server's interface.
func (c comer) GetOpts() *nats.ClientOpts { return &nats.ClientOpts{Name: c.name} }

// RemoteAddress implements the server's interface.
func (c comer) RemoteAddress() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }

// Who comes while the queue still reads what it has kept is refused in the end; the log says so, once.
func TestEarlyClientsAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		a := &access{log: slog.New(slog.NewTextHandler(&log, nil)), ready: make(chan struct{})}
		for _, name := range []string{"team/v1", "team/v2", "team/v1"} {
			require.False(t, a.Check(comer{name: name}))
		}
		require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		require.Contains(t, log.String(), "client=team/v1")
		require.Contains(t, log.String(), "waited=1m0s")
	})
}
