package pyrunner

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func idleWorker(t *testing.T) *worker {
	conn, others, err := pipePair()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = conn.Close(), closeAll(others) })
	return newWorker(1, conn, 1024)
}

// Workers that die while requests come and go leave nothing behind that could
// keep put waiting, or have get wait in vain.
func TestPoolLosesNoWorker(t *testing.T) {
	var p pool
	never := make(chan struct{})
	for range 200 {
		w := idleWorker(t)
		require.True(t, p.put(w))
		var both sync.WaitGroup
		dropped := make(chan bool, 1)
		taken := make(chan *worker, 1)
		ctx, cancel := context.WithCancel(t.Context())
		both.Go(func() { dropped <- p.drop(w) })
		both.Go(func() {
			got, _ := p.get(ctx, time.Time{}, never)
			taken <- got
		})
		if <-dropped {
			cancel()
			require.Nil(t, <-taken)
		} else {
			require.Same(t, w, <-taken)
		}
		both.Wait()
		cancel()
	}
	require.Empty(t, p.idle)
	require.Empty(t, p.waiting)
}

func TestPoolServesInTurn(t *testing.T) {
	var p pool
	never := make(chan struct{})
	w := idleWorker(t)
	order := make(chan int, 3)
	var all sync.WaitGroup
	for i := range 3 {
		all.Go(func() {
			got, _ := p.get(t.Context(), time.Time{}, never)
			order <- i
			p.put(got)
		})
		require.Eventually(t, func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.waiting) == i+1
		}, time.Minute, time.Millisecond)
	}
	require.True(t, p.put(w))
	all.Wait()
	require.Equal(t, []int{0, 1, 2}, []int{<-order, <-order, <-order})
	require.Equal(t, []*worker{w}, p.close())
	require.False(t, p.put(w), "closed")
}

// Who stopped waiting just when a worker was free for it gives it to the next.
func TestPoolTakesBackWhatNobodyWants(t *testing.T) {
	var p pool
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 200 {
		w := idleWorker(t)
		done := make(chan *worker)
		go func() {
			got, _ := p.get(gone, time.Time{}, nil)
			done <- got
		}()
		p.put(w)
		if got := <-done; got == nil {
			got, err := p.get(t.Context(), time.Time{}, nil)
			require.NoError(t, err)
			require.Same(t, w, got)
		}
	}
	require.Empty(t, p.waiting)
}
