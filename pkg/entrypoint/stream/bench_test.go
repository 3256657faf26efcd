package stream_test

import (
	"bytes"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/stream"
	"krt.dev/kn-krt/pkg/runner/event"
)

// BenchmarkMessage is what a message of 16 bytes takes from a node's body to the client's goroutine.
func BenchmarkMessage(b *testing.B) {
	pool := memory.NewPool(memory.New(1<<20, new(atomic.Int64), 16))
	frame := event.AppendFrame(nil, make([]byte, 16))
	body := append(bytes.Repeat(frame, b.N), event.AppendEnd(nil, event.End{})...)
	s := stream.New("p.M", stream.Limits{})
	p, err := s.Claim("k")
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		_, _ = p.Relay(b.Context(), bytes.NewReader(body), stream.Source{Pool: pool, Limit: 1 << 20})
		s.End(nil)
	}()
	for {
		data, err := s.Next(b.Context(), b.Context())
		if err != nil {
			break
		}
		data.Free()
	}
	require.Equal(b, b.N, s.Counts().Messages)
}
