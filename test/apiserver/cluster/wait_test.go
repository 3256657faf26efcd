package cluster_test

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/test/apiserver"
)

// A wait reports what it sees as values, and ends with the last of them.
func TestWaiting(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	v := newVersion(c, "a")
	v.Spec.State = v1alpha1.StateStarted
	require.NoError(t, c.Create(ctx, v, values()))
	mark(t, c, "a", starting)

	// Each observation lets the version do the next thing.
	next := map[cluster.Situation]func(*v1alpha1.Version){
		cluster.SituationProgressing: func(v *v1alpha1.Version) { v.MarkNodeNotReady("etl", v1alpha1.ReasonCrashed, "exit code 1") },
		cluster.SituationFailing:     started,
	}
	var seen []cluster.Situation
	options := cluster.WaitOptions{Timeout: patience, Window: patience, Progress: func(p cluster.Progress) {
		seen = append(seen, p.Situation)
		mark(t, c, "a", next[p.Situation])
	}}
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalStarted, options))
	require.Equal(t, []cluster.Situation{cluster.SituationProgressing, cluster.SituationFailing}, seen)

	for goal, situation := range map[cluster.Goal]cluster.Situation{
		cluster.GoalStopped:   cluster.SituationAskedToStart,
		cluster.GoalDeleted:   cluster.SituationNotDeleted,
		cluster.GoalPublished: cluster.SituationOtherPublished,
	} {
		var failed *cluster.WaitError
		require.ErrorAs(t, c.Wait(ctx, "a", goal, soon), &failed)
		require.Equal(t, cluster.WaitError{Version: "a", Namespace: c.Namespace(), Goal: goal,
			Observation: cluster.Observation{Situation: situation}}, *failed)
	}
	require.NoError(t, c.Wait(ctx, "a", cluster.GoalUnpublished, soon))

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, c.Wait(canceled, "a", cluster.GoalStarted, soon), context.Canceled)
}

// changes keeps what a watch reports.
type changes struct {
	mu   sync.Mutex
	last map[string]string // by name: the comment, or "deleted"
}

// listed keeps the comments of all versions: those that are not there have been deleted.
func (c *changes) listed(all []*v1alpha1.Version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.last {
		c.last[name] = "deleted"
	}
	for _, v := range all {
		c.last[v.Name] = v.Spec.Comment
	}
}

func (c *changes) changed(v *v1alpha1.Version, gone bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[v.Name] = v.Spec.Comment
	if gone {
		c.last[v.Name] = "deleted"
	}
}

func (c *changes) are(want map[string]string) func() bool {
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for name, comment := range want {
			if got, ok := c.last[name]; !ok || got != comment {
				return false
			}
		}
		return true
	}
}

// A watch outlives an apiserver that is away for a while: what happened meanwhile is
// reported, deletions too.
func TestWatching(t *testing.T) {
	c := newClient(t)
	ctx := bounded(t)
	at, err := url.Parse(server.URL)
	require.NoError(t, err)
	relay := &apiserver.Relay{To: at.Host}
	require.NoError(t, relay.Start())
	config := server.Config()
	config.Host = "https://" + relay.Address()
	watcher, err := cluster.New(config, c.Namespace())
	require.NoError(t, err)

	require.NoError(t, c.Create(ctx, newVersion(c, "a"), values()))
	require.NoError(t, c.Create(ctx, newVersion(c, "b"), values()))
	seen := &changes{last: map[string]string{}}
	watching, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- watcher.FollowVersions(watching, cluster.Listener[*v1alpha1.Version]{Listed: seen.listed, Changed: seen.changed})
	}()
	within := func(want map[string]string) {
		t.Helper()
		require.Eventually(t, seen.are(want), patience, 10*time.Millisecond)
	}
	within(map[string]string{"a": "", "b": ""})
	_, err = c.Start(ctx, "a", "first")
	require.NoError(t, err)
	within(map[string]string{"a": "first"})

	relay.Cut()
	require.NoError(t, c.Delete(ctx, "b"))
	_, err = c.Stop(ctx, "a", "second")
	require.NoError(t, err)
	require.NoError(t, c.Create(ctx, newVersion(c, "c"), nil))
	require.NoError(t, relay.Start())
	within(map[string]string{"a": "second", "b": "deleted", "c": ""})

	stop()
	require.ErrorIs(t, <-ended, context.Canceled)
	relay.Cut()
}
