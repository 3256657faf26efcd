package traffic

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// BenchmarkKept is what dividing costs a request that the published version serves.
func BenchmarkKept(b *testing.B) {
	d := New(Options{})
	d.set(&Canary{Version: "v2", GRPC: "127.0.0.1:1", Web: "127.0.0.1:1"})
	defer d.Close()
	ctx := ofClient(b)
	b.ReportAllocs()
	for b.Loop() {
		q := d.Begin(func(name string) []string { return metadata.ValueFromIncomingContext(ctx, name) })
		require.Nil(b, q.Copy(ctx, nil))
		q.Served(code.Code_OK)
		q.End()
	}
}

// BenchmarkForwarded is what calling a canary that gives back what it gets costs, next to the same
// call by a bare client.
func BenchmarkForwarded(b *testing.B) {
	address := echo(b)
	budget := memory.New(256<<20, new(atomic.Int64), 16)
	d := New(Options{
		MaxMessageBytes: 4 << 20, Budget: budget, Buffers: memory.NewUncountedPool(), Timeout: time.Minute, Stopped: b.Context(),
	})
	d.set(&Canary{Version: "v2", GRPC: address, Web: address, Weight: 100})
	defer d.Close()
	bare := newPeer(address, address, 4<<20, connectTime)
	defer bare.release()
	ctx := ofClient(b)
	for _, size := range []int{1 << 10, 1 << 20} {
		data := make([]byte, size)
		b.Run(fmt.Sprintf("%d_KB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q := d.Begin(func(name string) []string { return metadata.ValueFromIncomingContext(ctx, name) })
				during, cancel := q.during(ctx, d.options.Timeout, 0)
				r, served := q.call(during, Call{Method: "/test/Echo", Data: data})
				cancel()
				require.True(b, served && r.failure == nil && r.data.Len() == size)
				q.forwarded(code.Code_OK)
				r.data.Free()
				q.End()
			}
		})
		b.Run(fmt.Sprintf("%d_KB_bare", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			conn := bare.connection(ctx)
			for b.Loop() {
				var out mem.BufferSlice
				err := conn.Invoke(b.Context(), "/test/Echo", mem.BufferSlice{mem.SliceBuffer(data)}, &out,
					grpc.ForceCodecV2(raw{encoding.GetCodecV2("proto")}))
				require.NoError(b, err)
				out.Free()
			}
		})
	}
}

// ofClient is the context of a client's call.
func ofClient(b *testing.B) context.Context {
	return metadata.NewIncomingContext(b.Context(), metadata.Pairs(
		":authority", "localhost", "content-type", "application/grpc", "user-agent", "grpc-go/1.85.0"))
}

// echo serves any rpc.
func echo(b *testing.B) (address string) {
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	s := grpc.NewServer(grpc.ForceServerCodecV2(raw{encoding.GetCodecV2("proto")}),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			var data mem.BufferSlice
			if err := stream.RecvMsg(&data); err != nil {
				return err
			}
			return stream.SendMsg(data)
		}))
	go func() { _ = s.Serve(listener) }()
	b.Cleanup(s.Stop)
	return listener.Addr().String()
}
