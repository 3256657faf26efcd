package durable

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is being published counts as what waits, and a reading does not forget it.
func TestRoomOfManyAtOnce(t *testing.T) {
	r := &room{known: true}
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if r.take(10, 200, false) {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 20, taken.Load())
	require.False(t, r.take(1, 200, false))
	require.True(t, r.take(1, 300, false), "a later step may use more")
	r.done(1, true)

	r.done(10, true) // and the server is asked now: it has 11 bytes, and 190 more are on their way
	r.before, r.waiting = r.stored, 11
	require.False(t, r.take(1, 200, false))
	for range 19 {
		r.done(10, false) // they were not stored
	}
	require.True(t, r.take(40, 200, true), "little of what is left")
	require.False(t, r.take(40, 200, true), "others use it, too: it is to be read again")
	require.True(t, r.take(149, 200, false))
	require.False(t, r.take(1, 200, false))
}

// Who waits for another one's reading waits no longer than its own time.
func TestReadingThatIsNotWaitedFor(t *testing.T) {
	c := &Carrier{}
	c.room.reading = make(chan struct{}, 1)
	c.room.reading <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.renew(ctx), context.Canceled)
}
