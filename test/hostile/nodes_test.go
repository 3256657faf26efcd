package hostile

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/process"
)

// evils are what a hostile node writes as the stream of its response, until its exchange is
// ended. None of them ends by itself.
func evils() []func(ctx context.Context, write func(...byte) error) {
	forever := func(frame []byte) func(context.Context, func(...byte) error) {
		return func(_ context.Context, write func(...byte) error) {
			for write(frame...) == nil { //nolint:revive // until nobody reads
			}
		}
	}
	once := func(bytes ...byte) func(context.Context, func(...byte) error) {
		return func(ctx context.Context, write func(...byte) error) {
			_ = write(bytes...)
			<-ctx.Done()
		}
	}
	return []func(context.Context, func(...byte) error){
		forever(event.AppendFrame(nil, []byte("\x0a\x01x"))),
		forever(event.AppendFrame(nil, append([]byte("\x0a\x80\x80\x40"), make([]byte, 1<<20)...))),
		forever([]byte{0, 0, 0, 0, 0}),
		once(event.AppendFrame(nil, []byte("\x0a\x01x"))...),
		once(0, 255, 255, 255, 255),
		once(0, 0, 64, 0, 0, 'x'),
		once(2, 0, 0, 255, 255, '{'),
		once(append(event.AppendEnd(nil, event.End{}), "and more"...)...),
		once(append(event.AppendEnd(nil, event.End{Replied: true}), event.AppendFrame(nil, nil)...)...),
		func(ctx context.Context, write func(...byte) error) {
			_ = write(0, 0, 0, 255, 255)
			for tick := time.NewTicker(time.Millisecond); write('x') == nil; <-tick.C { //nolint:revive // until nobody reads
			}
			<-ctx.Done()
		},
	}
}

// evilNode is a node that treats each event in the next of these ways.
func evilNode(t *testing.T) (url string, events *atomic.Int64) {
	events = new(atomic.Int64)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := event.ReadHeader(r.Header)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		in.Next("/krt/local/bench-v1/node-0", event.TypeMessage, process.Message, nil).WriteStream(w.Header())
		all := evils()
		all[int(events.Add(1))%len(all)](r.Context(), func(b ...byte) error {
			if _, err := w.Write(b); err != nil {
				return err
			}
			return http.NewResponseController(w).Flush()
		})
	}))
	t.Cleanup(node.Close)
	return node.URL, events
}

// TestHostileNodes has nodes send streams that are endless, malformed or slow, to clients
// that read, do not read, or leave, while good clients call good nodes.
func TestHostileNodes(t *testing.T) {
	nodes, err := process.Start(t.Context(), "nodes", process.NodesSettings{Count: 2}, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, nodes.Stop()) })
	evil, events := evilNode(t)
	entry, err := process.Start(t.Context(), "entrypoint", process.EntrypointSettings{
		Workflows: [][]string{{"http://" + nodes.Addresses[0], "http://" + nodes.Addresses[1]}, {evil}}, Streams: true,
	}, os.Stderr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, entry.Stop()) })
	to := &target{entry.Addresses[process.GRPC], entry.Addresses[process.Web], entry.Addresses[process.Reply], process.Method(0)}
	withstand(t, entry, to, attack{"nodes", func(ctx context.Context, to *target) string {
		each(20, func(i int) { _ = callEvil(ctx, to, i) })
		return fmt.Sprintf("%d streams of a hostile node", events.Load())
	}, 3500, 384})
}

// callEvil calls the hostile node by 20 streams at a time on one connection, until ctx is done:
// some of them are read, some are not, and some are left.
func callEvil(ctx context.Context, to *target, i int) error {
	conn, err := grpc.NewClient(to.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	each(20, func(n int) {
		for ctx.Err() == nil {
			call, leave := context.WithCancel(ctx)
			stream, err := conn.NewStream(call, &grpc.StreamDesc{ServerStreams: true}, process.Method(1))
			if err == nil {
				_ = stream.SendMsg(wrapperspb.Bytes([]byte("x")))
				_ = stream.CloseSend()
			}
			switch (i + n) % 3 {
			case 0:
				for err == nil {
					err = stream.RecvMsg(&wrapperspb.BytesValue{})
				}
			case 1:
				<-ctx.Done()
			default:
				select {
				case <-ctx.Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
			leave()
		}
	})
	return nil
}
