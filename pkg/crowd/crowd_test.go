package crowd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/crowd"
)

const most = 8

// serve serves until the end of the test, with a request at /wait that lasts as long; waiting gets one for each of those.
func serve(t *testing.T) (address string, waiting chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	require.NoError(t, err)
	waiting = make(chan struct{}, 2*most)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(crowd.Listen(listener, server, most)) // until it is closed
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, server.Close())
		<-served
	})
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return net.JoinHostPort("127.0.0.1", port), waiting
}

// client is a connection from an address of this machine.
type client struct {
	*testing.T
	net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, from, to string) *client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(t.Context(), "tcp", to)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(path string) {
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	require.NoError(c, err)
}

// ask reports whether there is a response.
func (c *client) ask() bool {
	if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return false
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err == nil && response.Body.Close() == nil
}

func TestWhoHasManyIdleConnectionsGivesWay(t *testing.T) {
	address, _ := serve(t)
	honest := dial(t, "127.0.0.2", address)
	require.True(t, honest.ask())
	var many []*client
	for range most + 3 {
		c := dial(t, "127.0.0.3", address)
		require.True(t, c.ask())
		many = append(many, c)
	}
	require.True(t, honest.ask(), "it stays connected")
	require.True(t, dial(t, "127.0.0.4", address).ask(), "another client gets in")
	require.False(t, many[0].ask(), "the longest idle one is closed")
	require.True(t, many[len(many)-1].ask())
}

func TestWhoHasManyRequestsGivesWay(t *testing.T) {
	address, waiting := serve(t)
	var many []*client
	for range most {
		c := dial(t, "127.0.0.3", address)
		c.send("/wait")
		<-waiting
		many = append(many, c)
	}
	require.False(t, dial(t, "127.0.0.3", address).ask(), "it takes nothing of its own")
	require.True(t, dial(t, "127.0.0.4", address).ask(), "another client gets in")
	_, err := many[0].reader.ReadByte()
	require.ErrorIs(t, err, io.EOF, "the request that takes the longest is closed")
}

func TestNobodyGivesWay(t *testing.T) {
	address, waiting := serve(t)
	for i := range most {
		dial(t, fmt.Sprintf("127.0.1.%d", i+1), address).send("/wait")
		<-waiting
	}
	require.False(t, dial(t, "127.0.0.4", address).ask(), "nobody has much")
}

func TestClosedConnectionsAreNotCounted(t *testing.T) {
	address, waiting := serve(t)
	for range 2 * most {
		c := dial(t, "127.0.0.2", address)
		require.True(t, c.ask())
		require.NoError(t, c.Close())
	}
	c := dial(t, "127.0.0.2", address)
	c.send("/wait")
	<-waiting
}
