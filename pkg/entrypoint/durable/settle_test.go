package durable

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/mem"

	"krt.dev/kn-krt/pkg/entrypoint/delivery"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/seal"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/jetstream"
)

// home is an entrypoint whose client waits.
type home struct {
	delivery.Home
	pool      *memory.Pool
	responses chan string
}

func (h home) Buffers() *memory.Pool { return h.pool }

func (h home) At(seal.ID, string, int) (client context.Context, gone bool) { return nil, false }

func (h home) Respond(_ context.Context, p *delivery.Parcel) error {
	h.responses <- string(p.Data.ReadOnlyData())
	return nil
}

// long is for what a busy machine may take long to do.
const long = 2 * time.Minute

// carried is a carrier of one step whose events are the test's to fetch.
type carried struct {
	*step
	t         *testing.T
	responses chan string
}

func newCarried(t *testing.T) *carried {
	s := jetstream.Start(t, jetstream.Options(t.TempDir(), -1))
	c, err := New(Options{
		Namespace: "test", Version: "v1", Workflows: []Workflow{{Name: "flow", Steps: []delivery.Step{{Node: "a"}}}},
		Queue: queue.Settings{URL: s.ClientURL()}, Background: time.Hour, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { c.Stop(context.Background()) })
	at := &carried{step: c.steps[0], t: t, responses: make(chan string, 1)}
	c.home = home{pool: memory.NewPool(memory.New(1<<30, new(atomic.Int64), 0)), responses: at.responses}
	at.succeeds(func() error { return c.client.Ensure(t.Context()) })
	header := http.Header{}
	(&event.Event{
		ID: "1", Source: "/test", Type: event.TypeMessage, Message: "test.Request", Workflow: "flow",
		CorrelationID: strings.Repeat("0123", 8), Deadline: time.Now().Add(time.Hour),
	}).WriteHeader(header)
	at.succeeds(func() error {
		return c.client.Publish(t.Context(), client.Message{Step: at.name, ID: "1", Header: header})
	})
	return at
}

func (c *carried) succeeds(try func() error) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return try() == nil }, long, time.Millisecond)
}

// fetch returns the next delivery of an event.
func (c *carried) fetch() (got *client.Received) {
	c.t.Helper()
	c.succeeds(func() error {
		err := c.client.Fetch(c.t.Context(), c.name, 1, batchBytes, func(r *client.Received) { got = r })
		if got == nil && err == nil {
			err = errors.New("nothing has come")
		}
		return err
	})
	return got
}

// ends waits until the step has no event in work. What the server was told in vain, because it was slow, is known here.
func (c *carried) ends() {
	c.t.Helper()
	c.succeeds(func() error {
		status, err := c.client.Status(c.t.Context(), false)
		if err != nil || status.Steps[0].Work == 0 {
			return err
		}
		_ = c.client.Fetch(c.t.Context(), c.name, 1, batchBytes, c.begin)
		return fmt.Errorf("in work: %d", status.Steps[0].Work)
	})
}

// Who gives an event back says nothing of it afterwards, and whoever gets it next begins with it, however soon that is.
func TestGivenBack(t *testing.T) {
	c := newCarried(t)
	w, err := c.open(c.fetch())
	require.NoError(t, err)
	w.settle(verdict{again: true})
	next, err := c.open(c.fetch())
	require.NoError(t, err)
	require.NotNil(t, next, "nobody is at work with it")
	w.message.Store(nil) // so that there is nothing of which anything could be said
	require.NotPanics(t, w.goesOn)
	next.settle(done)
	c.ends()
}

// An early reply for which the queue has no room does not keep the event, which would make some, from being done. The work
// has ended then, so that the client gets its response.
func TestDoneWhileThereIsNoRoomForTheMark(t *testing.T) {
	c := newCarried(t)
	w, err := c.open(c.fetch())
	require.NoError(t, err)
	jetstream.Fill(t, c.client.URL(), queue.Stream("test", "v1"))
	replied := make(chan bool, 1)
	go func() {
		reply := w.event.Next("/test", event.TypeReply, "test.Reply", nil)
		replied <- w.Reply(t.Context(), &delivery.Parcel{Event: reply, Data: mem.SliceBuffer("early")})
	}()
	require.Eventually(t, func() bool {
		free := w.mark.TryLock()
		if free {
			w.mark.Unlock()
		}
		return !free
	}, long, time.Millisecond, "the mark is not being kept")
	settled := make(chan struct{})
	go func() { w.settle(done); close(settled) }()
	require.Eventually(t, func() bool { return gone(settled) }, long, time.Millisecond)
	require.True(t, <-replied)
	require.Equal(t, "early", <-c.responses)
	c.ends()
}
