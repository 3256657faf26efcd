package client_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/test/jetstream"
)

// What is said of an event that has gone with its stream, because the server has lost its disk, is not said of the one that
// has its number now: that one would be lost.
func TestEventThatHasGoneWithItsStream(t *testing.T) {
	before := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	c := ensured(t, queue.Settings{URL: before.ClientURL()})
	publish(t, c, message(first, "before/0", "x"))
	gone := fetchOne(t, c, first)
	port := before.Addr().(*net.TCPAddr).Port
	jetstream.Stop(before)
	jetstream.Start(t, jetstream.Options(t.TempDir(), port))
	c.Forget()
	eventually(t, func() error { return c.Ensure(t.Context()) })
	publish(t, c, message(first, "after/0", "y"))
	now := fetchOne(t, c, first)
	require.Equal(t, gone.Sequence, now.Sequence)
	eventually(t, func() error { return gone.Ack(t.Context()) })
	require.EqualValues(t, 1, statusOf(t, c).Events)
	require.NoError(t, gone.Done())
	require.NoError(t, gone.InProgress())
	require.NoError(t, gone.Nak(0))
	status := statusOf(t, c)
	require.Equal(t, []int64{1, 1, 0}, []int64{status.Events, status.Steps[0].Work, status.Steps[0].Redelivered})
	eventually(t, func() error { return now.Ack(t.Context()) })
	require.Zero(t, statusOf(t, c).Events)
}
