package entrypoint_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// gzipped is text compressed.
func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestCompressedJSONIsBoundedWhenDecompressed(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 64 << 10
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"small", `{"text":"hello"}`, http.StatusOK},
		{"a bomb", `{"text":"` + strings.Repeat("x", 16<<20) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.web+"/test.Entrypoint/Call", bytes.NewReader(gzipped(t, c.text)))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Content-Encoding", "gzip")
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, res.StatusCode, "%s", text)
		})
	}
}

func TestADeclaredLengthAboveTheLimitIsRefusedUnread(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /test.Entrypoint/Call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Content-Length: 1099511627776\r\n\r\nfew")
	require.NoError(t, err)
	head := make([]byte, len("HTTP/1.1 413"))
	_, err = io.ReadFull(conn, head)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 413", string(head))
}

// TestWhoSendsAllBeforeReadingIsToldThatItIsTooMuch: such as Python's urllib. The body is longer than what the
// sockets hold.
func TestWhoSendsAllBeforeReadingIsToldThatItIsTooMuch(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	const size = 24 << 20
	chunked := fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size))
	whole := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
	call := "POST /test.Entrypoint/Call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	produce := "POST /workflows/flow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nCe-Id: 1\r\n" +
		"Ce-Specversion: 1.0\r\nCe-Source: /me\r\nCe-Type: x\r\n"
	for name, c := range map[string]struct{ request, text string }{
		"call":          {call + whole, "the body has 25165824 bytes, the limit is 4194304 (max-message-bytes)"},
		"chunked call":  {call + chunked, "the body is too large, the limit is 4194304 (max-message-bytes)"},
		"event":         {produce + whole, "the event is larger than "},
		"chunked event": {produce + chunked, "(max-message-bytes)"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(f.web, "http://"))
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, c.request)
			require.NoError(t, err)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode, "%s", text)
			require.Contains(t, string(text), c.text)
		})
	}
}
