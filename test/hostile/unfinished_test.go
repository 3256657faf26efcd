package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"krt.dev/kn-krt/test/process"
)

// TestUnfinishedHeadsAreEnded has clients that never finish what they begin:
// the entrypoint must end each of these connections by itself.
func TestUnfinishedHeadsAreEnded(t *testing.T) {
	entry, err := process.Start(t.Context(), "entrypoint", process.EntrypointSettings{Workflows: [][]string{{"http://127.0.0.1:1"}}},
		os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, entry.Stop()) })
	beginnings := []struct {
		name, begin string
		port        int
	}{
		{"nothing said on the gRPC port", "", process.GRPC},
		{"half a preface on the gRPC port", http2.ClientPreface[:10], process.GRPC},
		{"half a head on the web port", "POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", process.Web},
		{"half a head on the reply port", "POST /reply HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", process.Reply},
	}
	ends := make([]error, len(beginnings))
	each(len(beginnings), func(i int) { ends[i] = never(entry.Addresses[beginnings[i].port], beginnings[i].begin) })
	for i, err := range ends {
		require.NoError(t, err, beginnings[i].name)
	}
}

// never sends begin and then a byte now and then; it returns when the
// entrypoint has had enough. Its own patience is far above the limit of 10 s.
func never(address, begin string) error {
	conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, begin); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go drip(ctx, conn, 'x', 500*time.Millisecond)
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the entrypoint keeps the connection: %w", err)
	}
	return nil
}
