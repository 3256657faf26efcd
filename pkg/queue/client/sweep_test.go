package client_test

import (
	"fmt"
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
			publish(t, c, client.Message{Step: s, ID: id + s.Node, Header: http.Header{}})
		}
	}
	var got []*client.Received
	eventually(t, func() error {
		err := c.Fetch(t.Context(), first, 3-len(got), 1<<20, func(r *client.Received) { got = append(got, r) })
		if err == nil && len(got) < 3 {
			err = fmt.Errorf("%d have come", len(got))
		}
		return err
	})
	eventually(t, func() error { return got[0].Ack(t.Context()) })
	eventually(t, func() error { return got[2].Ack(t.Context()) }) // done, but one before it is not
	messages := func() uint64 {
		info, err := stream.Info(t.Context())
		require.NoError(t, err)
		return info.State.Msgs
	}
	require.EqualValues(t, 7, messages())
	eventually(t, func() error { return c.Sweep(t.Context()) })
	require.EqualValues(t, 6, messages())
	eventually(t, func() error { return got[1].Ack(t.Context()) })
	eventually(t, func() error { return c.Sweep(t.Context()) })
	require.EqualValues(t, 4, messages())
	status := statusOf(t, c)
	require.EqualValues(t, 4, status.Events)
	require.Equal(t, []int64{1, 3}, []int64{status.Steps[0].Waiting, status.Steps[1].Waiting})
}

// A mark is no event, and goes with its workflow.
func TestMarks(t *testing.T) {
	c := ensured(t, queue.Settings{URL: servers.Start(t, servers.Options(t.TempDir(), -1)).ClientURL()})
	const id = "0123456789abcdef0123456789abcdef"
	known := func(workflow string) string {
		t.Helper()
		var header http.Header
		eventually(t, func() (err error) { header, err = c.Marked(t.Context(), workflow, id); return err })
		return header.Get("Krt-Until")
	}
	mark := func(workflow, until string, keep time.Duration) {
		t.Helper()
		eventually(t, func() error { return c.Mark(t.Context(), workflow, id, http.Header{"Krt-Until": {until}}, keep) })
	}
	require.Empty(t, known(first.Workflow))
	for _, until := range []string{"1", "2"} {
		mark(first.Workflow, until, time.Hour)
	}
	mark("other", "3", time.Hour)
	require.Equal(t, []string{"2", "3"}, []string{known(first.Workflow), known("other")})
	require.Zero(t, statusOf(t, c).Events)
	eventually(t, func() error { return c.Unmark(t.Context(), first.Workflow, id) })
	require.Equal(t, []string{"", "3"}, []string{known(first.Workflow), known("other")})
	eventually(t, func() error { _, err := c.Drop(t.Context(), queue.Step{Workflow: "other"}); return err })
	require.Empty(t, known("other"))

	mark(first.Workflow, "1", time.Hour)
	mark("other", "3", time.Hour)
	publish(t, c, client.Message{Step: second, ID: "1", Header: http.Header{}})
	eventually(t, func() error { return c.Sweep(t.Context()) })
	require.Equal(t, []string{"1", "3"}, []string{known(first.Workflow), known("other")}, "an event waits, which may be theirs")
	last := fetchOne(t, c, second)
	eventually(t, func() error { return last.Ack(t.Context()) })
	eventually(t, func() error { return c.Sweep(t.Context()) })
	require.Equal(t, []string{"", ""}, []string{known(first.Workflow), known("other")}, "they are of nothing")

	mark(first.Workflow, "1", time.Second)
	require.Eventually(t, func() bool { return known(first.Workflow) == "" }, patient, 10*time.Millisecond, "it goes by itself")
}
