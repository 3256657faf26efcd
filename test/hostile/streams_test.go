package hostile

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/test/process"
)

// eachKiB is the most memory of the entrypoint that a stream may hold.
const eachKiB = 256

// TestStreamsOfClientsThatDoNotRead has many clients read one small message each of a stream
// without an end in sight: what waits for them must not grow with it, and nothing of it may
// stay when they are gone.
func TestStreamsOfClientsThatDoNotRead(t *testing.T) {
	nodes, err := process.Start(t.Context(), "nodes", process.NodesSettings{Count: 2, Messages: 90_000}, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, nodes.Stop()) })
	entry, err := process.Start(t.Context(), "entrypoint", process.EntrypointSettings{
		Workflows: [][]string{{"http://" + nodes.Addresses[0], "http://" + nodes.Addresses[1]}}, Streams: true,
	}, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, entry.Stop()) })
	quiet, err := entry.Usage(t.Context(), true)
	require.NoError(t, err)
	before, err := entry.Resident()
	require.NoError(t, err)

	conn, err := grpc.NewClient(entry.Addresses[process.GRPC], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(64<<10)) // it takes no more before it reads
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	token := wrapperspb.Bytes(make([]byte, 256))
	for range waiting {
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, process.Method(0))
		require.NoError(t, err)
		require.NoError(t, stream.SendMsg(token))
		require.NoError(t, stream.CloseSend())
		require.NoError(t, stream.RecvMsg(&wrapperspb.BytesValue{}))
	}
	rest(t, entry)
	loose, err := entry.Resident()
	require.NoError(t, err)
	now, err := entry.Usage(t.Context(), true)
	require.NoError(t, err)
	during, err := entry.Resident()
	require.NoError(t, err)
	cancel()
	require.NoError(t, conn.Close())
	after := settle(t, entry, quiet)
	requireNothingHeld(t, &target{reply: entry.Addresses[process.Reply]})
	t.Logf("%d streams wait: %d KiB resident each (%d before the collection) and %.1f goroutines; "+
		"live before %.1f MiB, meanwhile %.1f, afterwards %.1f", waiting, (during-before)>>10/waiting, (loose-before)>>10/waiting,
		float64(now.Goroutines-quiet.Goroutines)/waiting, live(quiet), live(now), live(after))
	require.LessOrEqual(t, (during-before)>>10/waiting, int64(memory*eachKiB))
}

// rest waits until the entrypoint does nothing.
func rest(t *testing.T, entry *process.Process) {
	t.Helper()
	var used time.Duration
	for same := 0; same < 5; same++ {
		all, err := entry.CPU()
		require.NoError(t, err)
		if all[0]-used > 10*time.Millisecond {
			used, same = all[0], 0
		}
		time.Sleep(100 * time.Millisecond)
	}
}
