package entrypoint_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
)

// encodings notes how responses are encoded.
type encodings chan string

// TagRPC implements stats.Handler.
func (encodings) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn implements stats.Handler.
func (encodings) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (encodings) HandleConn(context.Context, stats.ConnStats) {}

// HandleRPC implements stats.Handler.
func (e encodings) HandleRPC(_ context.Context, s stats.RPCStats) {
	if h, ok := s.(*stats.InHeader); ok {
		e <- h.Compression
	}
}

// What gRPC compresses it holds uncounted until it is sent: so it compresses no
// response, even for a client that compresses its request.
func TestGRPCResponsesAreNotCompressed(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	used := make(encodings, 1)
	conn, err := grpc.NewClient(f.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithStatsHandler(used))
	require.NoError(t, err)
	defer conn.Close()
	in, out := f.message("test.Request"), f.message("test.Reply")
	in.Set(in.Descriptor().Fields().ByName("text"), valueOf("hello"))
	require.NoError(t, conn.Invoke(t.Context(), "/test.Entrypoint/Call", in, out, grpc.UseCompressor("gzip")))
	require.Equal(t, "hello>a", out.Get(out.Descriptor().Fields().ByName("text")).String())
	require.Contains(t, []string{"", "identity"}, <-used)
}
