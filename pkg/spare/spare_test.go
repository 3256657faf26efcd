package spare

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Functions that wait for one another all run: nobody has to wait for a goroutine.
func TestAllRunAtOnce(t *testing.T) {
	for range 3 {
		var all, begun sync.WaitGroup
		const n = 4 * most
		begun.Add(n)
		for range n {
			all.Add(1)
			Go(func() {
				defer all.Done()
				begun.Done()
				begun.Wait()
			})
		}
		all.Wait()
	}
	require.Eventually(t, func() bool { return waiting.Load() == most }, 2*time.Minute, time.Millisecond)
}

// What waits is used again, and does not keep what it has run.
func TestGoroutinesAreUsedAgain(t *testing.T) {
	var all sync.WaitGroup
	var ran atomic.Int64
	for range 10_000 {
		all.Add(1)
		Go(func() {
			defer all.Done()
			ran.Add(1)
		})
	}
	all.Wait()
	require.EqualValues(t, 10_000, ran.Load())
	require.Eventually(t, func() bool { n := waiting.Load(); return n >= 1 && n <= most }, 2*time.Minute, time.Millisecond)
}
