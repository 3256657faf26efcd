package raw

import (
	"bytes"
	"compress/gzip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	_ "google.golang.org/grpc/encoding/gzip" // it is decompressed
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
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
	b := memory.New(64<<20, new(atomic.Int64), 16)
	pool := memory.NewPool(b)
	r := upload{&memory.Upload{Abort: func(error) {}}}
	require.NoError(t, b.Begin(r.Upload, 0))
	data, err := r.decompress("gzip", mem.BufferSlice{mem.SliceBuffer(packed.Bytes())}, 4<<20, pool)
	require.NoError(t, err)
	require.Equal(t, 16<<10, data.Len())
	data.Free()
	require.Less(t, b.Used(), int64(16<<10+2*memory.WindowBytes))
	r.End()
	require.Zero(t, b.Used())
}
