package link_test

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/test/link"
	"krt.dev/kn-krt/test/process"
)

func TestMain(m *testing.M) {
	process.Child(map[string]process.Role{"entrypoint": process.Entrypoint, "nodes": process.Nodes})
	os.Exit(m.Run())
}

// timeout is the version's: a link that takes a part of it shortens nothing else.
const timeout = 10 * time.Second

// start runs two nodes, each behind the link, and an entrypoint that calls one after the other, and
// returns a function that sends a request.
func start(t *testing.T, l *link.Link) (send func(size int) (int, error)) {
	t.Helper()
	nodes, err := process.Start(t.Context(), "nodes", process.NodesSettings{Count: 2}, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, nodes.Stop()) })
	var steps []string
	for _, node := range nodes.Addresses {
		address, err := l.Listen(t.Context(), node)
		require.NoError(t, err)
		steps = append(steps, "http://"+address)
	}
	serves := process.EntrypointSettings{Workflows: [][]string{steps}, Timeout: timeout}
	entry, err := process.Start(t.Context(), "entrypoint", serves, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, entry.Stop()) })
	conn, err := grpc.NewClient(entry.Addresses[process.GRPC], grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return func(size int) (int, error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		out := &wrapperspb.BytesValue{}
		err := conn.Invoke(ctx, process.Method(0), wrapperspb.Bytes(bytes.Repeat([]byte("x"), size)), out)
		return len(out.GetValue()), err
	}
}

// many sends requests, sixteen at a time, all of which must be answered with what was sent.
func many(t *testing.T, send func(int) (int, error), requests, size int) {
	t.Helper()
	var all errgroup.Group
	all.SetLimit(16)
	for range requests {
		all.Go(func() error {
			n, err := send(size)
			if err == nil && n != size {
				t.Errorf("sent %d bytes, got %d", size, n)
			}
			return err
		})
	}
	require.NoError(t, all.Wait())
}

// A node far away answers later, and nothing else.
func TestASlowNetwork(t *testing.T) {
	l := &link.Link{Delay: 100 * time.Millisecond, PerSecond: 1 << 20}
	send := start(t, l)
	many(t, send, 64, 10_000)
	require.EqualValues(t, 128, l.Events(), "a slow response is not a lost one: no event was sent twice")
}

// What cannot arrive in time ends by the version's timeout, with its code.
func TestANetworkThatIsTooSlow(t *testing.T) {
	send := start(t, &link.Link{PerSecond: 16 << 10})
	_, err := send(1 << 20)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), "%v", err)
}

// A connection that breaks before the response has arrived: the event is sent again.
func TestConnectionsThatBreak(t *testing.T) {
	l := &link.Link{Break: 5}
	send := start(t, l)
	many(t, send, 200, 100)
	require.Greater(t, l.Events(), int64(400), "some were sent again")
}

// Clocks of machines differ. Nodes are told a time at which the client gives up: with a clock that is
// ahead by less than the timeout, or behind by any time, requests succeed.
func TestClocksThatDiffer(t *testing.T) {
	// A request may take what is left of the timeout, which a busy machine needs much of.
	for _, ahead := range []time.Duration{timeout / 5, -timeout / 2, -24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			many(t, start(t, &link.Link{Ahead: ahead}), 32, 100)
		})
	}
}

// With a clock that is ahead by more than the timeout a node takes every request for one that nobody waits for.
func TestAClockFarAhead(t *testing.T) {
	_, err := start(t, &link.Link{Ahead: time.Hour})(100)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), "%v", err)
	t.Log(err)
}
