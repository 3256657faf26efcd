package httpclient

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/promptio"
)

// rawNode responds to each request on each connection with the given bytes, as they
// are, and returns its address and the number of connections it has had.
func rawNode(t *testing.T, answer string) (*url.URL, *atomic.Int32) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	var count atomic.Int32
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return &url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/"}, &count
}

// exchangeOnce posts data and returns status and body.
func exchangeOnce(t *testing.T, c *Client, to *url.URL, data string) (int, string, error) {
	t.Helper()
	res, err := c.Post(t.Context(), to, http.Header{"Ce-Id": {"1"}}, Body{Data: []byte(data)})
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, string(body), err
}

func TestClientReadsEveryFormOfResponse(t *testing.T) {
	for _, c := range []struct {
		name, answer, body string
		status             int
		connections        int32 // of three exchanges
	}{
		{"sized", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, 1},
		{"empty", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "", 202, 1},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", 200, 1},
		{"after informational ones", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", 200, 1},
		{"the last on its connection", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", "ok", 200, 3},
		{"followed by more than it declares", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more", "ok", 200, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			to, count := rawNode(t, c.answer)
			client := New(Options{})
			defer client.Close()
			for range 3 {
				status, body, err := exchangeOnce(t, client, to, "data")
				require.NoError(t, err)
				require.Equal(t, c.status, status)
				require.Equal(t, c.body, body)
			}
			require.Equal(t, c.connections, count.Load())
		})
	}
}

func TestClientRefusesBadResponses(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":            "nonsense\r\n\r\n",
		"header too long":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeaderBytes) + "\r\n\r\n",
		"informational only": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", maxInformational+1),
		"no proper length":   "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			to, _ := rawNode(t, answer)
			client := New(Options{})
			defer client.Close()
			_, _, err := exchangeOnce(t, client, to, "data")
			require.Error(t, err)
			require.Empty(t, client.idle.byHost)
		})
	}
}

func TestClientSendsBodiesOfEverySize(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	to, err := url.Parse(server.URL)
	require.NoError(t, err)
	client := New(Options{})
	defer client.Close()
	for _, size := range []int{0, 1, joinBytes, joinBytes + 1, 1 << 20} {
		data := strings.Repeat("x", size)
		status, body, err := exchangeOnce(t, client, to, data)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
		require.True(t, data == body, "%d bytes came back", len(body))
	}
}

func TestClientHeaderCannotBeSplit(t *testing.T) {
	head := string(appendHead(nil, &url.URL{Path: "/"}, http.Header{"A": {"1\r\nB: 2"}, "C": {"3"}}, 0))
	require.NotContains(t, head, "B:")
	require.Contains(t, head, "\r\nC: 3\r\n")
}

func TestClientEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done() // the client's leaving reaches the node
	}))
	defer server.Close()
	to, err := url.Parse(server.URL)
	require.NoError(t, err)
	client := New(Options{})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err = client.Post(ctx, to, http.Header{}, Body{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAClosedConnectionIsNotUsedAgain(t *testing.T) {
	to, count := rawNode(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	client := New(Options{})
	defer client.Close()
	_, _, err := exchangeOnce(t, client, to, "data")
	require.NoError(t, err)
	resting := client.idle.byHost[to.Host][0]
	require.True(t, resting.alive())
	require.NoError(t, resting.Conn.(*promptio.TCP).CloseWrite()) // the node closes in turn
	require.Eventually(t, func() bool { return !resting.alive() }, 10*time.Second, time.Millisecond)
	_, _, err = exchangeOnce(t, client, to, "data")
	require.NoError(t, err)
	require.Equal(t, int32(2), count.Load())
}

func TestRestingConnectionsAreFewAndEnd(t *testing.T) {
	var idle idleConnections
	to, _ := rawNode(t, "")
	for range 3 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", to.Host)
		require.NoError(t, err)
		l, err := newConnection(conn, 0)
		require.NoError(t, err)
		idle.put(to.Host, l)
	}
	idle.byHost[to.Host][0].expiry = time.Now().Add(-time.Second)
	idle.expire()
	require.Len(t, idle.byHost[to.Host], 2)
	idle.close()
	require.Empty(t, idle.byHost)
}

func TestAnAgedConnectionIsNotUsedAgain(t *testing.T) {
	to, count := rawNode(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	client := New(Options{MaxAge: time.Minute})
	defer client.Close()
	for range 2 {
		_, _, err := exchangeOnce(t, client, to, "data")
		require.NoError(t, err)
	}
	require.Equal(t, int32(1), count.Load())
	client.idle.byHost[to.Host][0].expiry = time.Now().Add(-time.Second)
	_, _, err := exchangeOnce(t, client, to, "data")
	require.NoError(t, err)
	require.Equal(t, int32(2), count.Load())
}
