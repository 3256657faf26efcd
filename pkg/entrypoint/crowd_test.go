package entrypoint_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A thousand connections to the reply port that are kept open, or post something
// that never ends, must not keep the kubelet's probes out.
func TestProbesGetThroughACrowd(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	address := strings.TrimPrefix(f.reply, "http://")
	dial := func(request string) *bufio.Reader {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, request)
		require.NoError(t, err)
		return bufio.NewReader(c)
	}
	healthy := func() {
		res, err := http.ReadResponse(dial("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), nil)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	for range 1100 {
		healthy()
	}
	for range 1100 {
		dial("POST /reply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
	}
	for range 10 {
		healthy()
	}
}
