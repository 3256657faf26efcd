package client_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	servers "krt.dev/kn-krt/test/jetstream"
)

// What is done and is there nevertheless, here because the stream keeps it, does not wait, and is removed;
// all else stays.
func TestSweep(t *testing.T) {
	url := servers.Start(t, servers.Options(t.TempDir(), -1)).ClientURL()
	conn, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: queue.Stream("team", "v1"), Subjects: []string{queue.Subjects("team", "v1")}, Duplicates: queue.Window,
	})
	require.NoError(t, err)
	for _, s := range []queue.Step{first, second} {
		_, err = stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{
			Durable: s.Consumer(), FilterSubject: queue.Subject("team", "v1", s), AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour,
		})
		require.NoError(t, err)
	}
	c := connect(t, queue.Settings{URL: url})
	eventually(t, func() error {
		return c.Publish(t.Context(), client.Message{Step: first, ID: "0", Header: http.Header{}})
	})
	for _, id := range []string{"1", "2", "3"} {
		for _, s := range []queue.Step{first, second} {
			require.NoError(t, c.Publish(t.Context(), client.Message{Step: s, ID: id + s.Node, Header: http.Header{}}))
		}
	}
	var got []*client.Received
	require.NoError(t, c.Fetch(t.Context(), first, 3, 1<<20, func(r *client.Received) { got = append(got, r) }))
	require.Len(t, got, 3)
	require.NoError(t, got[0].Ack(t.Context()))
	require.NoError(t, got[2].Ack(t.Context()), "done, but one before it is not")
	messages := func() uint64 {
		info, err := stream.Info(t.Context())
		require.NoError(t, err)
		return info.State.Msgs
	}
	require.EqualValues(t, 7, messages())
	require.NoError(t, c.Sweep(t.Context()))
	require.EqualValues(t, 6, messages())
	require.NoError(t, got[1].Ack(t.Context()))
	require.NoError(t, c.Sweep(t.Context()))
	require.EqualValues(t, 4, messages())
	status, err := c.Status(t.Context(), true)
	require.NoError(t, err)
	require.EqualValues(t, 4, status.Events)
	require.Equal(t, []int64{1, 3}, []int64{status.Steps[0].Waiting, status.Steps[1].Waiting})
}

// A mark is no event, and goes with its workflow.
func TestMarks(t *testing.T) {
	c := ensured(t, queue.Settings{URL: servers.Start(t, servers.Options(t.TempDir(), -1)).ClientURL()})
	const id = "0123456789abcdef0123456789abcdef"
	known := func(workflow string) string {
		t.Helper()
		header, err := c.Marked(t.Context(), workflow, id)
		require.NoError(t, err)
		return header.Get("Krt-Until")
	}
	require.Empty(t, known(first.Workflow))
	for _, until := range []string{"1", "2"} {
		require.NoError(t, c.Mark(t.Context(), first.Workflow, id, http.Header{"Krt-Until": {until}}, time.Minute))
	}
	require.NoError(t, c.Mark(t.Context(), "other", id, http.Header{"Krt-Until": {"3"}}, time.Minute))
	require.Equal(t, []string{"2", "3"}, []string{known(first.Workflow), known("other")})
	status, err := c.Status(t.Context(), true)
	require.NoError(t, err)
	require.Zero(t, status.Events)
	require.NoError(t, c.Unmark(t.Context(), first.Workflow, id))
	require.Equal(t, []string{"", "3"}, []string{known(first.Workflow), known("other")})
	_, err = c.Drop(t.Context(), queue.Step{Workflow: "other"})
	require.NoError(t, err)
	require.Empty(t, known("other"))

	require.NoError(t, c.Mark(t.Context(), first.Workflow, id, http.Header{"Krt-Until": {"1"}}, time.Minute))
	require.NoError(t, c.Mark(t.Context(), "other", id, http.Header{"Krt-Until": {"3"}}, time.Minute))
	require.NoError(t, c.Publish(t.Context(), client.Message{Step: second, ID: "1", Header: http.Header{}}))
	require.NoError(t, c.Sweep(t.Context()))
	require.Equal(t, []string{"1", "3"}, []string{known(first.Workflow), known("other")}, "an event waits, which may be theirs")
	require.NoError(t, c.Fetch(t.Context(), second, 1, 1<<20, func(r *client.Received) { require.NoError(t, r.Ack(t.Context())) }))
	require.NoError(t, c.Sweep(t.Context()))
	require.Equal(t, []string{"", ""}, []string{known(first.Workflow), known("other")}, "they are of nothing")

	require.NoError(t, c.Mark(t.Context(), first.Workflow, id, http.Header{"Krt-Until": {"1"}}, time.Second))
	require.Eventually(t, func() bool { return known(first.Workflow) == "" }, patient, 10*time.Millisecond, "it goes by itself")
}
