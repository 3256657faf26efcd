package client_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/test/jetstream"
)

// While the servers of a cluster have not agreed on who leads a consumer, what it has left is not known: a status has all
// consumers, or is an error.
func TestStatusOfAClusterHasAllConsumers(t *testing.T) {
	cluster := jetstream.NewCluster(t, 3)
	c := ensured(t, queue.Settings{URL: cluster.URL(), Replicas: 3})
	for i := range 5 {
		eventually(t, func() error { return c.Publish(t.Context(), message(first, fmt.Sprint("a", i), "x")) })
	}
	killed := cluster.Whole(t, queue.Stream("team", "v1"), 2)[first.Consumer()]
	killed.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	for {
		status, err := c.Status(ctx, false)
		if err != nil {
			require.NoError(t, ctx.Err(), err)
			time.Sleep(10 * time.Millisecond) // it is asked again
			continue
		}
		require.EqualValues(t, 5, status.Events)
		require.Len(t, status.Steps, 2)
		return
	}
}
