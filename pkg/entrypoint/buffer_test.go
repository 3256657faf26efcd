package entrypoint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuffersFitWhatTheyHold(t *testing.T) {
	pool := newBufferPool()
	for _, c := range []struct{ length, capacity int }{
		{0, 1 << 10}, {1, 1 << 10}, {1 << 10, 1 << 10}, {1<<10 + 1, 1 << 11}, {1<<20 + 4, 1 << 21},
		{1 << 22, 1 << 22}, {1<<22 + 1, 1<<22 + 1},
	} {
		b := pool.Get(c.length)
		require.Len(t, *b, c.length)
		if c.length <= 1<<mostBufferBits {
			require.Equal(t, c.capacity, cap(*b))
		}
		pool.Put(b)
	}
	foreign := make([]byte, 1000)
	pool.Put(&foreign) // is dropped
	require.Equal(t, 1<<10, cap(*pool.Get(1000)))
}
