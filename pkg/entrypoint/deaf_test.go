package entrypoint_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"krt.dev/kn-krt/pkg/runner/event"
)

// deaf posts body n times on an HTTP/2 connection of its own, and reads nothing.
func (f *fixture) deaf(n int, path, body string, headers ...string) {
	conn, err := new(net.Dialer).DialContext(f.t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(f.t, err)
	framer := http2.NewFramer(conn, nil)
	require.NoError(f.t, framer.WriteSettings())
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	headers = append([]string{":method", http.MethodPost, ":scheme", "http", ":authority", "localhost", ":path", path}, headers...)
	for i := range uint32(n) {
		block.Reset()
		for j := 0; j < len(headers); j += 2 {
			require.NoError(f.t, encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(headers[j]), Value: headers[j+1]}))
		}
		require.NoError(f.t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1 + 2*i, BlockFragment: block.Bytes(), EndHeaders: true}))
		require.NoError(f.t, framer.WriteData(1+2*i, true, []byte(body)))
	}
}

// TestDeafClientsOfTheWebPortGiveWay: the connection of a client that reads no
// responses is closed when there is no room for others.
func TestDeafClientsOfTheWebPortGiveWay(t *testing.T) {
	for name, form := range map[string]struct {
		path    string
		headers []string
	}{
		"Connect": {"/test.Entrypoint/Call", []string{"Content-Type", "application/proto", "Connect-Protocol-Version", "1"}},
		"events":  {"/workflows/flow", binaryEvent("flow", "application/protobuf")},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o := quick()
			o.MaxMessageBytes, o.MaxBytes = 1<<20, 8<<20
			o.Timeout = time.Hour // no time ends them
			const answers = 7
			begun, release := make(chan struct{}, answers), make(chan struct{})
			large := f.payload(1<<20 - 64)
			f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
				if f.textOf(in.Data) != "large" {
					return f.says("a", true)(ctx, in)
				}
				begun <- struct{}{}
				<-release
				return http.StatusOK, in.Next("a", event.TypeMessage, "test.Reply", large)
			})), o)
			for _, n := range []int{3, answers - 3} {
				f.deaf(n, form.path, string(f.text("test.Request", "large")), form.headers...)
			}
			for range answers {
				<-begun
			}
			close(release)
			require.Eventually(t, func() bool { return f.held() >= answers<<20 }, time.Minute, time.Millisecond)
			require.Eventually(t, func() bool {
				_, err := f.call(t.Context(), "good")
				return err == nil
			}, time.Minute, 10*time.Millisecond)
			require.Less(t, f.held(), int64(answers<<20))
		})
	}
}
