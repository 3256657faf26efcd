package local

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListenOnFreePorts(t *testing.T) {
	l, err := Ports{}.listen()
	require.NoError(t, err)
	defer l.Close()
	for _, listener := range []net.Listener{l.GRPC, l.Web, l.Reply} {
		require.Equal(t, "127.0.0.1", listener.Addr().(*net.TCPAddr).IP.String())
	}
}

func TestTakenPortIsNamedAndTheOthersAreLeft(t *testing.T) {
	// An address that no other test gets ports of.
	taken, err := net.Listen("tcp", "127.0.0.9:0")
	require.NoError(t, err)
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.9:0")
	require.NoError(t, err)
	grpc := free.Addr().(*net.TCPAddr).Port
	require.NoError(t, free.Close())

	_, err = Ports{Host: "127.0.0.9", GRPC: grpc, Web: taken.Addr().(*net.TCPAddr).Port}.listen()
	var port *PortError
	require.ErrorAs(t, err, &port)
	require.Equal(t, "web", port.Port)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.EqualError(t, err, "cannot listen on "+taken.Addr().String()+" for the web port: address already in use")
	again, err := net.Listen("tcp", free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestListenElsewhereLeavesTheReplyPortOnLoopback(t *testing.T) {
	l, err := Ports{Host: "0.0.0.0"}.listen()
	require.NoError(t, err)
	defer l.Close()
	require.True(t, l.GRPC.Addr().(*net.TCPAddr).IP.IsUnspecified())
	require.True(t, l.Reply.Addr().(*net.TCPAddr).IP.IsLoopback())
}

func TestTheInspectionPortIsADefaultOrADemand(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	l, err := Ports{Inspection: port, InspectionOrFree: true}.listen()
	require.NoError(t, err)
	require.NotEqual(t, port, l.Inspection.Addr().(*net.TCPAddr).Port)
	require.True(t, l.Inspection.Addr().(*net.TCPAddr).IP.IsLoopback())
	require.NoError(t, l.Close())

	_, err = Ports{Inspection: port}.listen()
	require.EqualError(t, err, "cannot listen on "+taken.Addr().String()+" for the inspect port: address already in use")
	l, err = Ports{Inspection: -1}.listen()
	require.NoError(t, err)
	require.Nil(t, l.Inspection)
	require.NoError(t, l.Close())
}

func TestReachable(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:1": "127.0.0.1:1", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "127.0.0.1:1", ":1": "127.0.0.1:1", "[::1]:1": "[::1]:1",
	} {
		require.Equal(t, want, Reachable(address))
	}
}
