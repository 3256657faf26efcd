package memory

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuffersFitWhatTheyHold(t *testing.T) {
	budget := New(defaultBudget, new(atomic.Int64), 16)
	pool := NewPool(budget)
	for _, c := range []struct{ length, capacity int }{
		{0, 1 << 11}, {1, 1 << 11}, {1 << 11, 1 << 11}, {1<<11 + 1, 1 << 12}, {1<<20 + 4, 1 << 21},
		{1 << 22, 1 << 22}, {1<<22 + 1, 1<<22 + 1},
	} {
		b := pool.Get(c.length)
		require.Len(t, *b, c.length)
		if c.length <= 1<<mostBufferBits {
			require.Equal(t, c.capacity, cap(*b))
		}
		require.EqualValues(t, cap(*b), budget.Used())
		pool.Put(b)
		require.Zero(t, budget.Used())
	}
}

// gRPC keeps buffers of up to 1 KiB out of every pool.
func TestSmallPayloadsArePooled(t *testing.T) {
	pool := NewPool(New(defaultBudget, new(atomic.Int64), 16))
	body := strings.NewReader(strings.Repeat("x", 1<<10))
	read := func() {
		body.Reset(strings.Repeat("x", 1<<10))
		data, err := pool.Read(body, 1<<10, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		data.Free()
	}
	// The least of many runs: with the race detector a sync.Pool drops at random.
	least := testing.AllocsPerRun(1, read)
	for range 100 {
		least = min(least, testing.AllocsPerRun(1, read))
	}
	require.LessOrEqual(t, least, 1.0, "one is the text's")
}
