package promptio_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"krt.dev/kn-krt/pkg/runner/promptio"
)

// connect returns both ends of a connection whose first end is prompt, as is the second over TCP.
func connect(network string) (one, other net.Conn, err error) {
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "promptio")
		if err != nil {
			return nil, nil, err
		}
		defer os.RemoveAll(dir)
		address = filepath.Join(dir, "s")
	}
	inner, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, err
	}
	l := promptio.Listen(inner)
	defer l.Close()
	dialled, err := net.Dial(network, inner.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	switch c := dialled.(type) {
	case *net.UnixConn:
		one, err = promptio.NewUnix(c)
	case *net.TCPConn:
		one, err = promptio.NewTCP(c)
	}
	if err != nil {
		return nil, nil, err
	}
	other, err = l.Accept()
	return one, other, err
}

func TestIsAConnection(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (one, other net.Conn, stop func(), err error) {
				one, other, err = connect(network)
				return one, other, func() { _, _ = one.Close(), other.Close() }, err
			})
		})
	}
}

func TestCarriesAllSizesInBothDirections(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		one, other, err := connect(network)
		require.NoError(t, err)
		defer func() { _, _ = one.Close(), other.Close() }()
		echoed := make(chan error, 1)
		go func() {
			_, err := io.Copy(struct{ io.Writer }{other}, struct{ io.Reader }{other})
			echoed <- err
		}()
		for _, size := range []int{1, 1 << 10, 16 << 10, 16<<10 + 1, 3 << 20, 2, 1 << 10} {
			want := bytes.Repeat([]byte{byte(size), 'x'}, size)
			sent := make(chan error, 1)
			go func() {
				_, err := one.Write(want)
				sent <- err
			}()
			got := make([]byte, len(want))
			_, err := io.ReadFull(one, got)
			require.NoError(t, err)
			require.NoError(t, <-sent)
			require.True(t, bytes.Equal(want, got), "%s, %d bytes", network, len(want))
		}
		require.NoError(t, one.(interface{ CloseWrite() error }).CloseWrite())
		require.NoError(t, <-echoed)
	}
}

func TestReadsTheEnd(t *testing.T) {
	one, other, err := connect("tcp")
	require.NoError(t, err)
	defer one.Close()
	_, err = other.Write([]byte("last"))
	require.NoError(t, err)
	require.NoError(t, other.Close())
	got, err := io.ReadAll(one)
	require.NoError(t, err)
	require.Equal(t, "last", string(got))
}

// What a caller compares an error with is the same as for a connection of net.
func TestErrorsAreThoseOfConnections(t *testing.T) {
	one, other, err := connect("tcp")
	require.NoError(t, err)
	require.NoError(t, one.SetReadDeadline(time.Unix(1, 0)))
	_, err = one.Read(make([]byte, 10))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.Equal(t, "read", op.Op)
	require.True(t, op.Timeout())
	require.NoError(t, other.(*promptio.TCP).SetLinger(0))
	require.NoError(t, other.Close()) // resets it
	require.NoError(t, one.SetReadDeadline(time.Time{}))
	_, err = one.Read(make([]byte, 10))
	require.ErrorContains(t, err, "connection reset by peer")
	require.NoError(t, one.Close())
	_, err = one.Write([]byte{1})
	require.ErrorIs(t, err, net.ErrClosed)
}
