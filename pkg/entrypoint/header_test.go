package entrypoint_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// What a client sends before its message is held as long as the request.
func TestHeadersAreCounted(t *testing.T) {
	const long = 2 * memory.SmallHeader
	text := strings.Repeat("x", long)
	for name, call := range map[string]func(*fixture){
		"gRPC": func(f *fixture) {
			_, _ = f.call(metadata.AppendToOutgoingContext(context.Background(), "x-long", text), "x")
		},
		"an event without data": func(f *fixture) {
			f.request(http.MethodPost, f.web+"/workflows/flow", "", append(binaryEvent("flow", "application/json"), "X-Long", text)...)
		},
		"JSON": func(f *fixture) {
			f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"x"}`, "Content-Type", "application/json", "X-Long", text)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			h, begun, release := f.gate("a")
			f.serve(f.version(node(t, "a", h)), quick())
			done := make(chan struct{})
			go func() {
				defer close(done)
				call(f)
			}()
			<-begun
			require.GreaterOrEqual(t, f.held(), int64(memory.RequestBytes+long))
			close(release)
			<-done
			f.awaitIdle()
		})
	}
}

// A stream of HTTP/2 costs a goroutine and its header before it can be refused.
func TestStreamsOfAConnectionToTheWebPortAreBounded(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	require.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	require.NoError(t, err)
	most, ok := frame.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams)
	require.True(t, ok)
	require.EqualValues(t, 250, most)
}
