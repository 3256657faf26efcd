package entrypoint_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/warm"
	"krt.dev/kn-krt/pkg/runner/event"
)

// waking returns options by which nodes are woken, and what a test gets when one is.
func waking(t *testing.T, names ...string) (entrypoint.Options, <-chan string) {
	t.Helper()
	woken, urls := make(chan string, 10), map[string]string{}
	for _, name := range names {
		urls[name] = serveHTTP(t, func(http.ResponseWriter, *http.Request) { woken <- name })
	}
	w, err := warm.New(urls, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(w.Close)
	o := quick()
	o.Waker, o.Observers, o.Collectors = w, []record.Observer{w}, []prometheus.Collector{w}
	return o, woken
}

func TestTheFirstEventWakesAllNodes(t *testing.T) {
	f := newFixture(t)
	o, woken := waking(t, "a", "b", "c")
	first := func(ctx context.Context, in *event.Event) (int, *event.Event) {
		// It responds only once the others have been woken.
		require.ElementsMatch(t, []string{"b", "c"}, []string{<-woken, <-woken})
		return f.says("a", false)(ctx, in)
	}
	f.serve(f.version(node(t, "a", first), node(t, "b", f.says("b", false)), node(t, "c", f.says("c", true))), o)
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a>b>c", got)
	require.Empty(t, woken)
}

// A node that an event has reached is not woken for the next one, however long its handler takes: what wakes it would
// wait behind the event.
func TestANodeWithAnEventIsNotWoken(t *testing.T) {
	f := newFixture(t)
	o, woken := waking(t, "b", "c")
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	b := node(t, "b", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		arrived <- struct{}{}
		<-release
		return f.says("b", true)(ctx, in)
	})
	v := f.version(node(t, "a", f.says("a", false)), b, node(t, "c", f.says("c", true)))
	other, err := f.schema.Method("Other")
	require.NoError(t, err)
	v.Workflows = append(v.Workflows, entrypoint.Workflow{Name: "alone", Method: other, Steps: []entrypoint.Step{b}})
	f.serve(v, o)
	first := make(chan error, 1)
	go func() {
		in, out := f.message("test.Request"), f.message("test.Reply")
		first <- f.conn.Invoke(t.Context(), "/test.Entrypoint/Other", in, out)
	}()
	<-arrived
	second := make(chan error, 1)
	go func() {
		_, err := f.call(t.Context(), "x")
		second <- err
	}()
	<-arrived
	require.Equal(t, "c", <-woken)
	close(release)
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.Empty(t, woken)
}

func TestTheFirstEventOfASequenceWakesAllNodes(t *testing.T) {
	f := newFixture(t)
	o, woken := waking(t, "a", "b", "c")
	v := f.version(entrypoint.Step{Node: "a"}, entrypoint.Step{Node: "b"}, entrypoint.Step{Node: "c"})
	v.Workflows[0].Address = node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
		require.ElementsMatch(t, []string{"b", "c"}, []string{<-woken, <-woken})
		last := in.Next("/krt/test/v1/c", event.TypeMessage, "test.Reply", f.text("test.Reply", "done"))
		require.Equal(t, http.StatusAccepted, f.post("/reply", last))
		return http.StatusAccepted, nil
	}).URL
	f.serve(v, o)
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "done", got)
	require.Empty(t, woken)
}
