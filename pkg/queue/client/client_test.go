package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/test/jetstream"
)

func TestMain(m *testing.M) {
	jetstream.Main()
	os.Exit(m.Run())
}

var (
	first  = queue.Step{Workflow: "greet", Index: 0, Node: "model"}
	second = queue.Step{Workflow: "greet", Index: 1, Node: "rank"}
)

// patient is for what a busy machine may take long to do.
const patient = 2 * time.Minute

func connect(t *testing.T, s queue.Settings, change ...func(*client.Options)) *client.Client {
	t.Helper()
	o := client.Options{Namespace: "team", Version: "v1", Steps: []queue.Step{first, second}, Logger: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&o)
	}
	c, err := client.Connect(s, o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// ensured returns a client whose stream has been set up.
func ensured(t *testing.T, s queue.Settings, change ...func(*client.Options)) *client.Client {
	t.Helper()
	c := connect(t, s, change...)
	eventually(t, func() error { return c.Ensure(t.Context()) })
	return c
}

func eventually(t *testing.T, try func() error) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool { err = try(); return err == nil }, patient, 5*time.Millisecond, "%s",
		lazy(func() string { return fmt.Sprint(err) }))
}

// lazy is text that is made when it is printed.
type lazy func() string

// String implements fmt.Stringer.
func (l lazy) String() string { return l() }

// publish publishes, also where the disk takes its time: the event is there once.
func publish(t *testing.T, c *client.Client, m client.Message) {
	t.Helper()
	eventually(t, func() error { return c.Publish(t.Context(), m) })
}

// statusOf is what the stream holds.
func statusOf(t *testing.T, c *client.Client) (status queue.Status) {
	t.Helper()
	eventually(t, func() (err error) { status, err = c.Status(t.Context(), true); return err })
	return status
}

func message(step queue.Step, id, data string) client.Message {
	return client.Message{Step: step, ID: id, Header: http.Header{"Ce-Id": {id}, "Ce-Krtreply": {"a.b=="}}, Data: []byte(data)}
}

// fetchOne returns the next event of a step.
func fetchOne(t *testing.T, c *client.Client, step queue.Step) (got *client.Received) {
	t.Helper()
	eventually(t, func() error {
		err := c.Fetch(t.Context(), step, 1, 1<<20, func(r *client.Received) { got = r })
		if err == nil && got == nil {
			err = fmt.Errorf("no event")
		}
		return err
	})
	return got
}

func TestPublishedIsFetchedOnce(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	c := ensured(t, queue.Settings{URL: s.ClientURL()})
	for range 3 { // it is the same event: it is there once
		publish(t, c, message(first, "a/0", "hello"))
	}
	r := fetchOne(t, c, first)
	require.Equal(t, "hello", string(r.Data))
	require.Equal(t, "a/0", r.Header.Get("Ce-Id"))
	require.Equal(t, "a.b==", r.Header.Get("Ce-Krtreply"))
	require.Equal(t, 1, r.Delivered)

	require.NoError(t, r.Nak(0))
	again := fetchOne(t, c, first)
	require.Equal(t, r.Sequence, again.Sequence)
	require.Equal(t, 2, again.Delivered)
	require.NoError(t, again.InProgress())

	status := statusOf(t, c)
	require.Equal(t, "KRT_team_v1", status.Stream)
	require.EqualValues(t, 1, status.Events)
	require.EqualValues(t, queue.DefaultMaxBytes, status.MaxBytes)
	require.Len(t, status.Steps, 2)
	require.Equal(t, []any{"greet", 0, "model", int64(0), int64(1), int64(1), false}, []any{
		status.Steps[0].Workflow, status.Steps[0].Index, status.Steps[0].Node, status.Steps[0].Waiting,
		status.Steps[0].Work, status.Steps[0].Redelivered, status.Steps[0].Former,
	})
	require.WithinDuration(t, r.Published, status.Steps[0].Oldest, time.Millisecond)
	require.Zero(t, status.Steps[1].Events())

	eventually(t, func() error { return again.Ack(t.Context()) })
	require.Zero(t, statusOf(t, c).Events)
}

// An event that is larger than a batch may be is fetched alone, and does not hold up those behind it.
func TestLargeEventIsFetched(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	c := ensured(t, queue.Settings{URL: s.ClientURL()})
	sizes := []int{10, 2 << 20, 20}
	for i, size := range sizes {
		publish(t, c, message(first, fmt.Sprint(i), strings.Repeat("x", size)))
	}
	var got []int
	eventually(t, func() error {
		err := c.Fetch(t.Context(), first, 16, 1<<20, func(r *client.Received) {
			got = append(got, len(r.Data))
			eventually(t, func() error { return r.Ack(t.Context()) })
		})
		if err == nil && len(got) < len(sizes) {
			err = fmt.Errorf("got %v", got)
		}
		return err
	})
	require.Equal(t, sizes, got)
}

// Of a stream on several servers, few are fetched at once, and large ones alone once one has come.
func TestReplicatedFetchIsBounded(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	one := ensured(t, queue.Settings{URL: s.ClientURL()})
	c := connect(t, queue.Settings{URL: s.ClientURL(), Replicas: 3}) // which finds the stream as it is
	n := 0
	for _, size := range []int{1, 1, 1, 1, 1, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1} {
		n++
		publish(t, one, message(first, fmt.Sprint(n), strings.Repeat("x", size)))
	}
	for i, want := range []int{1, 4, 4, 1} { // the third cannot know that large ones have come
		got := 0
		eventually(t, func() error {
			return errors.Join(c.Fetch(t.Context(), first, 16, 1<<20, func(*client.Received) { got++ }), some(got))
		})
		require.Equal(t, want, got, "fetch %d", i)
	}
}

func some(got int) error {
	if got == 0 {
		return errors.New("no event")
	}
	return nil
}

func TestEnsureChangesWhatIsSetOtherwise(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	old := ensured(t, queue.Settings{URL: s.ClientURL(), MaxBytes: 1 << 20}, func(o *client.Options) {
		o.Steps = []queue.Step{first, {Workflow: "greet", Index: 1, Node: "former"}}
	})
	publish(t, old, message(first, "a/0", "x"))
	publish(t, old, message(queue.Step{Workflow: "greet", Index: 1, Node: "former"}, "b/1", "x"))
	c := ensured(t, queue.Settings{URL: s.ClientURL(), MaxBytes: 2 << 20})
	status := statusOf(t, c)
	require.EqualValues(t, 2<<20, status.MaxBytes)
	require.EqualValues(t, 2, status.Events, "what waits stays")
	require.Len(t, status.Steps, 3)
	require.Equal(t, []string{"model", "former", "rank"}, []string{status.Steps[0].Node, status.Steps[1].Node, status.Steps[2].Node})
	require.Equal(t, []bool{false, true, false}, []bool{status.Steps[0].Former, status.Steps[1].Former, status.Steps[2].Former})
	require.EqualValues(t, 1, status.Steps[1].Events())
	var found *queue.Status
	eventually(t, func() (err error) { found, err = c.Find(t.Context(), "team", "v1"); return err })
	require.EqualValues(t, 2<<20+64<<20, found.MaxBytes, "with room for events between steps")
	for i := range status.Steps {
		status.Steps[i].Oldest = time.Time{}
	}
	require.Equal(t, status.Steps, found.Steps)
}

func TestRefusals(t *testing.T) {
	options := jetstream.Options(t.TempDir(), -1)
	options.MaxPayload, options.JetStreamMaxStore = 1<<20, 96<<20
	s := jetstream.Start(t, options)
	c := connect(t, queue.Settings{URL: s.ClientURL(), MaxBytes: 1 << 20})
	eventually(t, func() error { // there is no stream yet
		if err := c.Publish(t.Context(), message(first, "a/0", "x")); err != nil {
			if errors.Is(err, queue.ErrMissing) {
				return nil
			}
			return err
		}
		return fmt.Errorf("published to nothing")
	})
	require.Eventually(t, func() bool {
		return errors.Is(c.Fetch(t.Context(), first, 1, 1<<20, nil), queue.ErrMissing)
	}, patient, 5*time.Millisecond)
	eventually(t, func() error { return c.Ensure(t.Context()) })
	require.ErrorIs(t, c.Publish(t.Context(), message(first, "a/0", string(make([]byte, 1<<20)))), queue.ErrTooLarge)
	data := string(make([]byte, 1<<20-1<<10))
	var err error
	for i := 0; i < 200 && !errors.Is(err, queue.ErrFull); i++ { // a busy machine may not store each within a second
		err = c.Publish(t.Context(), message(first, fmt.Sprint(i), data))
	}
	require.ErrorIs(t, err, queue.ErrFull)
	var dropped int64
	drop := func(s queue.Step) {
		eventually(t, func() (err error) { dropped, err = c.Drop(t.Context(), s); return err })
	}
	drop(queue.Step{Workflow: "other"})
	require.Zero(t, dropped)
	drop(first)
	require.Greater(t, dropped, int64(50))
	eventually(t, func() error { return c.Publish(t.Context(), message(first, "more", data)) })
}

func TestOwnersListAndDelete(t *testing.T) {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	ensured(t, queue.Settings{URL: s.ClientURL()})
	owner := connect(t, queue.Settings{URL: s.ClientURL()}, func(o *client.Options) { *o = client.Options{} })
	eventually(t, func() error { _, err := owner.Find(t.Context(), "team", "v1"); return err })
	var all []queue.Status
	eventually(t, func() (err error) { all, err = owner.Streams(t.Context()); return err })
	require.Len(t, all, 1)
	require.Equal(t, "KRT_team_v1", all[0].Stream)
	for range 2 {
		eventually(t, func() error { return owner.Delete(t.Context(), "team", "v1") })
	}
	eventually(t, func() error {
		none, err := owner.Find(t.Context(), "team", "v1")
		require.Nil(t, none)
		return err
	})
}

func TestCredentialsAreSent(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, queue.FileCredential), []byte("krt1.secret\n"), 0o600))
	options := jetstream.Options(t.TempDir(), -1)
	options.CustomClientAuthentication = authentication("krt1.secret")
	s := jetstream.Start(t, options)
	ensured(t, queue.Settings{URL: s.ClientURL(), Credentials: folder})
	stranger := connect(t, queue.Settings{URL: s.ClientURL()})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, stranger.Ensure(ctx))
	require.False(t, stranger.Connected())
}

// authentication accepts one token.
type authentication string

func (a authentication) Check(c server.ClientAuthentication) bool {
	return c.GetOpts().Token == string(a)
}

func TestURLHasNoPassword(t *testing.T) {
	c := connect(t, queue.Settings{URL: "nats://user:secret@127.0.0.1:1,nats://127.0.0.1:2"})
	require.Equal(t, "nats://127.0.0.1:1,nats://127.0.0.1:2", c.URL())
	_, err := client.Connect(queue.Settings{URL: "nats://user:secret@127.0.0.1:x"}, client.Options{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}

// A server that is killed and started again has what it had acknowledged, and the client goes
// on by itself.
func TestServerIsKilled(t *testing.T) {
	child := jetstream.NewChild(t)
	c := connect(t, queue.Settings{URL: child.URL()}) // before there is one
	require.Error(t, c.Publish(t.Context(), message(first, "a/0", "x")))
	child.Start(t)
	eventually(t, func() error { return c.Ensure(t.Context()) })
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	got := map[string]int{}
	var fetching sync.WaitGroup
	fetching.Go(func() {
		for ctx.Err() == nil {
			err := c.Fetch(ctx, first, 16, 1<<20, func(r *client.Received) {
				mu.Lock()
				defer mu.Unlock()
				got[string(r.Data)]++
				_ = r.Ack(ctx)
			})
			if err != nil {
				c.Forget()
				_ = c.Ensure(ctx)
			}
		}
	})
	for i := range 60 {
		if i%20 == 10 {
			child.Kill()
			child.Start(t)
		}
		id := fmt.Sprintf("%d/0", i)
		eventually(t, func() error { return c.Publish(ctx, message(first, id, id)) })
	}
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 60 }, patient, 10*time.Millisecond)
	stop()
	fetching.Wait()
}
