package entrypoint_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
)

// raw is a server that responds to each connection with one text and closes it.
func raw(t *testing.T, text string) string {
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go respondRaw(c, text)
		}
	}()
	return l.Addr().String()
}

func respondRaw(c net.Conn, text string) {
	defer c.Close()
	_, _ = c.Read(make([]byte, 4<<10))
	_, _ = io.WriteString(c, text)
}

// TestWhatIsNoResponseIsServedByThePublishedVersion: a canary cannot switch the protocol of a
// client's connection, nor fill the log.
func TestWhatIsNoResponseIsServedByThePublishedVersion(t *testing.T) {
	for name, text := range map[string]string{
		"another protocol": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhi",
		"half a body":      "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhi",
		"half a chunk":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhi",
		"a long line":      strings.Repeat("x", 64<<10) + "\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			address, log := raw(t, text), &bytes.Buffer{}
			o := quick()
			o.Logger = slog.New(slog.NewTextHandler(log, nil))
			f := published(t, &traffic.Canary{Version: "v2", GRPC: address, Web: address, Weight: 100}, o)
			got := f.ask(f.clients()["JSON"])
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Contains(t, got.body, "published")
			f.counts(`krt_traffic_fallbacks_total{canary="v2"} 1`)
			f.awaits("krt_held_bytes 0") // soon: the client may have its response before
			f.stop()
			require.NoError(t, <-f.done)
			require.Less(t, log.Len(), 4<<10)
		})
	}
}

// TestMetadataThatGRPCDoesNotSendCostsNoCall: HTTP/2 has such, and a version serves it.
func TestMetadataThatGRPCDoesNotSendCostsNoCall(t *testing.T) {
	seen := make(chan *event.Event, 1)
	to := newFixture(t)
	to = canary(t, func(_ context.Context, in *event.Event) (int, *event.Event) {
		seen <- in
		return http.StatusOK, in.Next("/krt/test/v2/canary", event.TypeMessage, "test.Reply", to.text("test.Reply", "canary"))
	})
	f := published(t, to.gives(100), quick())
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	message := f.text("test.Request", "hi")
	body := fmt.Sprintf("\x00\x00\x00\x00%c%s", len(message), message)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+f.grpc+"/test.Entrypoint/Call", strings.NewReader(body))
	require.NoError(t, err)
	r.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "X-Name": {"Zoë", "Zoe"}, "X!y": {"1"}}
	res, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "0", res.Trailer.Get("Grpc-Status"), res.Trailer.Get("Grpc-Message")+res.Header.Get("Grpc-Message"))
	require.Contains(t, string(got), "canary")
	<-seen
	f.counts(`krt_traffic_fallbacks_total{canary="v2"} 0`)
}

// TestMetadataNearTheLimitIsForwarded, although forwarding adds to it.
func TestMetadataNearTheLimitIsForwarded(t *testing.T) {
	to := canary(t, nil)
	f, plain := published(t, to.gives(100), quick()), published(t, nil, quick())
	got := map[codes.Code]int{}
	for n := 64 << 10; n > 64<<10-400; n -= 10 {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-long", strings.Repeat("x", n))
		_, want := plain.call(ctx, "hi")
		_, err := f.call(ctx, "hi")
		require.Equal(t, status.Code(want), status.Code(err), "%d bytes: %v", n, err)
		got[status.Code(err)]++
	}
	require.Len(t, got, 2, "on both sides of the limit: %v", got)
}
