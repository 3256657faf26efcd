package durable_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/port"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/jetstream"
)

// port is a client of the replica's inspection port.
func (r *replica) port() port.Client {
	r.version.t.Helper()
	at, err := inspection.New(r.inspect, nil)
	require.NoError(r.version.t, err)
	return port.Client{Port: at}
}

// awaitReport waits until the queue's report, without times, is as wanted.
func (r *replica) awaitReport(want map[string][4]int64) *port.Report {
	r.version.t.Helper()
	var last *port.Report
	require.Eventually(r.version.t, func() bool {
		report, err := r.port().Report(context.Background())
		if err != nil {
			return false
		}
		last = report
		for _, s := range report.Steps {
			if s.Node != queue.Postbox && want[s.Workflow+" "+s.Node] != [4]int64{s.Waiting, s.Work, s.Redelivered, s.Dead} {
				return false
			}
		}
		return true
	}, patient, 5*time.Millisecond, "%s", lazy(func() string { return fmt.Sprintf("%+v", last) }))
	return last
}

// drops drops what waits for the steps, and returns how many events it has dropped.
func (r *replica) drops(workflow, node string) int64 {
	r.version.t.Helper()
	var dropped port.Dropped
	r.version.succeeds(func() (err error) {
		dropped, err = r.port().Drop(context.Background(), workflow, node)
		return err
	})
	return dropped.Events
}

// Whoever reaches the inspection port sees what waits for each step, and can drop it.
func TestQueueIsShownAndDropped(t *testing.T) {
	v := start(t)
	v.change = func(o *durable.Options) { o.Concurrent = 1 }
	r := v.serve()
	working, end := make(chan struct{}, 3), make(chan struct{})
	v.nodes[1].works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		working <- struct{}{}
		select {
		case <-end:
		case <-ctx.Done():
		}
		return http.StatusOK, v.nodes[1].next(in, text+">b")
	})
	dead := letter.Letter{
		Kind: letter.Dead, ID: "0123456789abcdef0123456789abcdef/1", Version: "v1", Workflow: "flow", Node: "b", Step: 1,
		Time: time.Now(), Status: &letter.Status{Code: "INTERNAL"},
	}
	require.NoError(t, v.letters.Put(t.Context(), dead))
	dead.ID, dead.Node = "1123456789abcdef0123456789abcdef/1", "gone"
	require.NoError(t, v.letters.Put(t.Context(), dead))
	before := time.Now().Add(-time.Minute) // the server's clock is this one
	for _, text := range []string{"x", "y", "z"} {
		r.accepted(text)
	}
	<-working
	report := r.awaitReport(map[string][4]int64{"flow b": {2, 1, 0, 1}, "flow gone": {0, 0, 0, 1}})
	require.EqualValues(t, 3, report.Events)
	require.Empty(t, report.Problem)
	for _, s := range report.Steps {
		require.Equal(t, s.Node == "gone", s.Former, s.Node)
		require.Equal(t, s.Node == "b", s.Oldest.After(before), s.Node)
	}

	v.letters.setAway(true)
	v.succeeds(func() (err error) { report, err = r.port().Report(t.Context()); return err })
	require.Contains(t, report.Problem, "dead letters cannot be counted: the store is away")
	v.letters.setAway(false)

	for _, one := range []struct{ workflow, node, text string }{
		{"", "d", `the queue has no step of a node "d"`},
		{"other", "", `the queue has no workflow "other"`},
		{"other", "b", `the queue has no step of a node "b" in a workflow "other"`},
	} {
		var refused *inspection.StatusError
		require.Eventually(t, func() bool {
			_, err := r.port().Drop(t.Context(), one.workflow, one.node)
			return errors.As(err, &refused) && refused.Code == http.StatusNotFound
		}, patient, 5*time.Millisecond)
		require.Equal(t, one.text, refused.Text)
	}
	require.Zero(t, r.drops("flow", "a"))
	require.EqualValues(t, 3, r.drops("", "b"), "the one in work, too")

	// What a node works on goes on.
	close(end)
	require.Eventually(t, func() bool { return v.letters.count(letter.Result) == 1 }, patient, 5*time.Millisecond)
	r.empty()
	require.Equal(t, 1, v.nodes[1].ran("x>a")+v.nodes[1].ran("y>a")+v.nodes[1].ran("z>a"))
	require.Equal(t, 1, v.letters.count(letter.Result))
}

// A drop of everything leaves the letters that wait for the store.
func TestDropLeavesLetters(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.letters.setAway(true)
	id := r.accepted("x")
	waits := func() (n int64) {
		report, err := r.port().Report(t.Context())
		if err != nil {
			return -1
		}
		for _, s := range report.Steps {
			if s.Node == queue.Postbox {
				n += s.Events()
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return waits() == 1 }, patient, 5*time.Millisecond)
	r.drops("", "")
	require.Eventually(t, func() bool { return waits() == 1 }, patient, 5*time.Millisecond, "it stays")
	require.EqualValues(t, 1, r.drops("flow", queue.Postbox), "it was named")
	require.Nil(t, v.letters.find(letter.Result, id))
}

// A queue that is away is not an empty one.
func TestQueueThatIsAwayIsNotShown(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	v := newVersion(t, s.ClientURL())
	r := v.serve()
	r.empty()
	jetstream.Stop(s)
	for _, try := range []func() error{
		func() error { _, err := r.port().Report(t.Context()); return err },
		func() error { _, err := r.port().Drop(t.Context(), "", ""); return err },
	} {
		var refused *inspection.StatusError
		require.ErrorAs(t, try(), &refused)
		require.Equal(t, http.StatusServiceUnavailable, refused.Code)
		require.Contains(t, refused.Text, "the queue at nats://127.0.0.1:")
	}
}
