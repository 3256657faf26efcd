package line

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The memory of all databases is limited, too.
func TestTotalMemory(t *testing.T) {
	o := Options{MaxMemory: 4 * batchBytes, TotalMemory: 5 * batchBytes, total: &totals{}}
	point := append(bytes.Repeat([]byte("x"), batchBytes-1), '\n')
	var all [3]counts
	for i := range all {
		q := newQueue(o, nil, &all[i])
		for range 4 {
			q.add(point)
		}
	}
	require.Zero(t, all[0].dropped.Load())
	require.EqualValues(t, 3, all[1].dropped.Load())
	require.EqualValues(t, 4, all[2].dropped.Load())
	require.LessOrEqual(t, o.total.memory.Load(), o.TotalMemory)
}
