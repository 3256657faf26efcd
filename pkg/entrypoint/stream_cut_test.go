package entrypoint_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// Over HTTP/1.0 the end of the connection is that of the response: lines that break off there would
// look like lines that end. Events say that they end.
func TestALineOverHTTP10CannotBreakOff(t *testing.T) {
	own := newFixture(t)
	own.streamed(quick(), own.streams("a", own.countsUp))
	own.refusesLines(t)
	canary := streamingCanary(t, own.countsUp) // its stream would break off here
	divided := streamingPublished(t, canary.gives(100), quick())
	divided.refusesLines(t)
	canary.awaits(`krt_requests_total{code="OK",workflow="flow"} 0`)
}

// refusesLines requires that only events are sent over HTTP/1.0.
func (f *fixture) refusesLines(t *testing.T) {
	t.Helper()
	for accept, want := range map[string]string{
		"application/json":  "HTTP/1.0 505 ",
		"text/event-stream": "event: end\n",
	} {
		for _, path := range []string{tokensPath, "/workflows/flow"} {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
			require.NoError(t, err)
			body := `{"text":"x"}`
			_, err = fmt.Fprintf(conn, "POST %s HTTP/1.0\r\nHost: localhost\r\nAccept: %s\r\nContent-Type: application/json\r\n"+
				"Content-Length: %d\r\n\r\n%s", path, accept, len(body), body)
			require.NoError(t, err)
			got, err := io.ReadAll(bufio.NewReader(conn))
			require.NoError(t, err)
			require.Contains(t, string(got), want)
			require.NoError(t, conn.Close())
		}
	}
	f.awaitNothing(t)
}

// A message that is not one of the rpc's output is the node's fault, not that the client cancelled.
func TestAMessageThatCannotBeJSON(t *testing.T) {
	f := newFixture(t)
	f.streamed(quick(), f.responds("a", func(_ context.Context, out *frames) {
		out.send("1")
		_, _ = out.Write(event.AppendFrame(nil, []byte{0xff, 0xff}))
		out.send("3")
		out.end(event.End{})
	}))
	for accept, want := range map[string]string{
		"application/json":  `{"error":{"code":"internal","message":"the response cannot be written as JSON: `,
		"text/event-stream": "event: error\ndata: {\"code\":\"internal\",\"message\":\"the response cannot be written as JSON: ",
	} {
		got := f.request(http.MethodPost, f.web+tokensPath, `{}`, "Accept", accept)
		require.Contains(t, got.body, want)
		require.NotContains(t, got.body, `"3"`)
	}
	f.awaitNothing(t)
	f.awaits(`krt_requests_total{code="INTERNAL",workflow="flow"} 2`)
}
