package promptio_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"krt.dev/kn-krt/pkg/runner/promptio"
)

// connect returns both ends of a connection, which are prompt.
func connect() (one, other net.Conn, err error) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	l := promptio.Listen(inner)
	defer l.Close()
	dialled, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	if one, err = promptio.NewTCP(dialled.(*net.TCPConn)); err != nil {
		return nil, nil, err
	}
	other, err = l.Accept()
	return one, other, err
}

// connectPipes returns both ends of a connection of pipes.
func connectPipes(t *testing.T) (one, other *promptio.Pipes) {
	there, in, err := os.Pipe()
	require.NoError(t, err)
	back, out, err := os.Pipe()
	require.NoError(t, err)
	one, err = promptio.NewPipes(back, in)
	require.NoError(t, err)
	other, err = promptio.NewPipes(there, out)
	require.NoError(t, err)
	return one, other
}

func TestIsAConnection(t *testing.T) {
	nettest.TestConn(t, func() (one, other net.Conn, stop func(), err error) {
		one, other, err = connect()
		return one, other, func() { _, _ = one.Close(), other.Close() }, err
	})
}

func TestCarriesAllSizesInBothDirections(t *testing.T) {
	one, other, err := connect()
	require.NoError(t, err)
	pipe, far := connectPipes(t)
	for name, ends := range map[string][2]io.ReadWriteCloser{"tcp": {one, other}, "pipes": {pipe, far}} {
		t.Run(name, func(t *testing.T) { carriesAllSizes(t, ends[0], ends[1]) })
	}
}

func carriesAllSizes(t *testing.T, one, other io.ReadWriteCloser) {
	defer other.Close()
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
		require.True(t, bytes.Equal(want, got), "%d bytes", len(want))
	}
	require.NoError(t, one.Close())
	require.NoError(t, <-echoed)
}

// Both directions have the deadline, and what is closed ends what waits.
func TestPipesHaveDeadlines(t *testing.T) {
	one, other := connectPipes(t)
	read := make(chan error, 1)
	go func() {
		_, err := one.Read(make([]byte, 10))
		read <- err
	}()
	require.NoError(t, one.SetDeadline(time.Unix(1, 0)))
	require.ErrorIs(t, <-read, os.ErrDeadlineExceeded)
	_, err := one.Write([]byte{1})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, one.SetDeadline(time.Time{}))
	_, err = one.Write([]byte{1})
	require.NoError(t, err)
	got := make([]byte, 10)
	n, err := other.Read(got)
	require.NoError(t, err)
	require.Equal(t, []byte{1}, got[:n])
	require.NoError(t, other.Close())
	_, err = one.Write([]byte{1})
	require.ErrorIs(t, err, syscall.EPIPE)
	_, err = one.Read(got)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, one.Close())
}

func TestReadsTheEnd(t *testing.T) {
	one, other, err := connect()
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
	one, other, err := connect()
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
