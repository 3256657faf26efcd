package stream_test

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// BenchmarkMessage is what a message of 16 bytes takes from a node's body to the port.
func BenchmarkMessage(b *testing.B) {
	pool := memory.NewPool(memory.New(1<<20, new(atomic.Int64), 16))
	frame := event.AppendFrame(nil, make([]byte, 16))
	body := append(bytes.Repeat(frame, b.N), event.AppendEnd(nil, event.End{})...)
	s := stream.New("p.M", stream.Limits{}, stream.Sink{Send: func(data mem.Buffer, freed func(int64)) error {
		freed(int64(cap(data.ReadOnlyData())))
		data.Free()
		return nil
	}})
	p, err := s.Claim("k")
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	_, err = p.Relay(b.Context(), bytes.NewReader(body), stream.Source{Pool: pool, Limit: 1 << 20})
	require.NoError(b, err)
	require.Equal(b, b.N, s.Counts().Messages)
}
