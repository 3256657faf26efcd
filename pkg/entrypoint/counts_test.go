package entrypoint

import (
	"bytes"
	"compress/gzip"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/runner/dict"
	"krt.dev/kn-krt/pkg/runner/event"
)

// What is counted of a compressed message is what comes of it, however little
// each read brings.
func TestAMessageDecompressedByteByByteIsCountedOnce(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for range 16 << 10 {
		_, err := w.Write([]byte{'x'})
		require.NoError(t, err)
		require.NoError(t, w.Flush())
	}
	require.NoError(t, w.Close())
	b := newBudget(testBudget, new(atomic.Int64), 16)
	pool := newBufferPool(b)
	r := &reading{abort: func(error) {}}
	require.NoError(t, b.begin(r, 0))
	data, err := r.decompress("gzip", mem.BufferSlice{mem.SliceBuffer(packed.Bytes())}, 4<<20, pool)
	require.NoError(t, err)
	require.Equal(t, 16<<10, data.Len())
	require.Less(t, r.bytes.Load(), int64(16<<10+2*windowBytes))
	data.Free()
	r.end()
	require.Zero(t, b.used())
}

// A connection's count is for what gRPC says when it is sent: it says nothing of
// small buffers.
func TestSmallAnswersAreNotCountedAsUnsent(t *testing.T) {
	b := newBudget(testBudget, new(atomic.Int64), 16)
	server, client := net.Pipe()
	defer client.Close()
	c := &connection{Conn: server, listener: &listener{conns: b.conns}}
	b.conns.add(c)
	for range 1000 {
		c.sending(mem.SliceBuffer(strings.Repeat("x", 100))).Free()
	}
	require.Zero(t, c.unsent.Load())
	require.NoError(t, c.Close())
	require.Zero(t, b.used())
}

// The answer that a dict becomes is counted until it is sent, as any other.
func TestTheAnswerOfADictIsCounted(t *testing.T) {
	b := newBudget(testBudget, new(atomic.Int64), 16)
	e := &Entrypoint{budget: b, buffers: newBufferPool(b)}
	output := (&grpc_health_v1.HealthCheckRequest{}).ProtoReflect().Descriptor()
	r := &request{ticket: ticket{entry: e, route: &route{output: output}}}
	for _, n := range []int{0, 1, 1 << 20} {
		message, data, err := dict.Encode([]byte(`{"service":"` + strings.Repeat("x", n) + `"}`))
		require.NoError(t, err)
		a := r.readDict(&Parcel{Event: &event.Event{Message: message}, Data: mem.SliceBuffer(data)})
		require.Nil(t, a.failure)
		require.GreaterOrEqual(t, b.used(), int64(max(n, 1<<leastBufferBits)))
		a.data.Free()
		require.Zero(t, b.used())
	}
	b.held.Add(b.limit)
	message, data, err := dict.Encode([]byte(`{"service":"x"}`))
	require.NoError(t, err)
	a := r.readDict(&Parcel{Event: &event.Event{Message: message}, Data: mem.SliceBuffer(data)})
	require.Equal(t, refusal(errBudget).GetMessage(), a.failure.GetMessage())
}
