package durable_test

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/queue/client"
	"krt.dev/kn-krt/pkg/runner/event"
)

// early has a node send an early reply to the replica, and hang after it, until it is called again.
func (n *node) early(to *replica) (hangs <-chan struct{}) {
	begun := make(chan struct{}, 10)
	again := false
	n.works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		n.mu.Lock()
		first := !again
		again = true
		n.mu.Unlock()
		if !first {
			require.True(n.t, in.Replied, "its client has its response")
			require.Greater(n.t, time.Until(in.Deadline), 30*time.Minute, "it is background work")
			return http.StatusOK, n.next(in, text+">"+n.name)
		}
		to.post(in.Next(event.Source("test", "v1", n.name), event.TypeReply, "test.Reply", encode("early")))
		begun <- struct{}{}
		<-ctx.Done()
		return http.StatusInternalServerError, nil
	})
	return begun
}

// The step that replies early is done, whatever dies during it: its client has been told that it
// will be.
func TestKilledBehindAnEarlyReply(t *testing.T) {
	for name, c := range map[string]struct {
		timeout time.Duration
		address string
	}{
		"after the client's deadline":      {timeout: 8 * time.Second},
		"before it, with the same address": {timeout: patient, address: "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for timeout := c.timeout; !killedBehindAReply(t, timeout, c.address); timeout *= 2 { // a busy machine needs longer
				require.Less(t, timeout, patient)
			}
		})
	}
}

// killedBehindAReply reports whether there was a reply in time.
func killedBehindAReply(t *testing.T, timeout time.Duration, address string) bool {
	v := start(t)
	v.options = func(o *entrypoint.Options) {
		o.ConnectionGrace = time.Millisecond
		if address != "" {
			o.Advertise = address // as after the restart of a container
		}
	}
	first := v.serve()
	hangs := v.nodes[0].early(first)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	got, err := first.call(ctx, "x")
	if status.Code(err) == codes.DeadlineExceeded {
		return false
	}
	require.NoError(t, err)
	require.Equal(t, "early", got)
	<-hangs
	v.succeeds(func() error {
		has, err := first.carrier.Status(t.Context())
		if err == nil {
			require.EqualValues(t, 1, has.Events, "the mark is not one")
		}
		return err
	})
	first.way.cut()
	first.stop()
	first.ended()
	second := v.serve()
	second.empty()
	require.Equal(t, []int{2, 1, 1}, []int{v.nodes[0].ran("x"), v.nodes[1].ran("x>a"), v.nodes[2].ran("x>a>b")})
	require.Zero(t, v.letters.count(letter.Dead))
	return true
}

// Nothing is promised to a client that has no response when its replica dies: what it waits for is
// dropped once its deadline has passed.
func TestKilledBeforeAReply(t *testing.T) {
	for begin := time.Now(); !killedBeforeAReply(t); {
		require.Less(t, time.Since(begin), 2*patient)
	}
}

// killedBeforeAReply reports whether the node has begun within the client's time, which is over before another replica gets
// the event.
func killedBeforeAReply(t *testing.T) bool {
	v := start(t)
	v.options = func(o *entrypoint.Options) { o.ConnectionGrace = time.Millisecond }
	first := v.serve()
	begun := make(chan struct{}, 10)
	v.nodes[1].works(func(ctx context.Context, _ *event.Event, _ string) (int, *event.Event) {
		begun <- struct{}{}
		<-ctx.Done()
		return http.StatusInternalServerError, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), queue.AckWait-2*time.Second)
	defer cancel()
	failed := make(chan error, 1)
	go func() { _, err := first.call(ctx, "x"); failed <- err }()
	select {
	case <-begun:
	case err := <-failed:
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))
		return false
	}
	first.way.cut()
	first.stop()
	first.ended()
	require.Contains(t, []codes.Code{codes.Unavailable, codes.DeadlineExceeded}, status.Code(<-failed))
	second := v.serve()
	second.empty()
	require.Equal(t, 1, v.nodes[1].ran("x>a"))
	require.Zero(t, v.letters.count(letter.Dead)+v.letters.count(letter.Result))
	return true
}

// The client does not get an early reply before the queue has kept that the work goes on.
func TestEarlyReplyWaitsForTheQueue(t *testing.T) {
	v := start(t)
	r := v.serve()
	hangs := v.nodes[0].early(r)
	got := make(chan string, 1)
	v.nodes[0].mu.Lock()
	work := v.nodes[0].work
	v.nodes[0].mu.Unlock()
	v.nodes[0].works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		if !in.Replied {
			r.way.pause(true)
		}
		return work(ctx, in, text)
	})
	go func() { text, _ := r.call(t.Context(), "x"); got <- text }()
	require.Eventually(t, func() bool { return r.way.refused.Load() >= 4 }, patient, time.Millisecond)
	require.Empty(t, got)
	require.Empty(t, hangs)
	r.way.pause(false)
	require.Equal(t, "early", <-got)
	<-hangs
	v.nodes[0].kill()
	v.nodes[0].start()
	r.empty()
	require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
}

// elsewhere is how a request whose client has an early reply by another replica is ended by this one.
type elsewhere struct {
	timeout       time.Duration
	at            int // the node where that comes out
	leaves, fails bool
	errs          bool
}

// After a restart of the server two replicas may have an event, and one of them gives the client an early reply:
// the other one, which has begun before that, does not drop what is behind it, nor does whoever has the event that it
// passes on. The mark is the test's here.
func TestEarlyReplyOfAnotherReplica(t *testing.T) {
	for name, c := range map[string]elsewhere{
		"the client's deadline passes":            {timeout: 8 * time.Second},
		"the client leaves":                       {timeout: patient, leaves: true},
		"the node fails":                          {timeout: patient, fails: true},
		"the handler fails":                       {timeout: patient, errs: true},
		"the client leaves during the next step":  {timeout: patient, at: 1, leaves: true},
		"its deadline passes during the last one": {timeout: 8 * time.Second, at: 2},
		"the last handler fails":                  {timeout: patient, at: 2, errs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for begin := time.Now(); !c.comesOut(t); c.timeout = min(2*c.timeout, patient) { // a busy machine needs longer
				require.Less(t, time.Since(begin), 2*patient)
			}
		})
	}
}

// comesOut reports whether the node in question has begun within the client's time, and as the client's work: an event of
// which the first delivery was lost on its way is background work from the first, because there is a mark.
func (c elsewhere) comesOut(t *testing.T) bool {
	v := start(t)
	r := v.serve()
	other, err := client.Connect(v.queue, client.Options{Namespace: "test", Version: "v1", Logger: v.log})
	require.NoError(t, err)
	t.Cleanup(other.Close)
	ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
	defer cancel()
	var begun atomic.Bool
	for i, n := range v.nodes {
		n.works(func(working context.Context, in *event.Event, text string) (int, *event.Event) {
			if n.ran(text) > 1 {
				require.True(t, in.Replied, "its client has its response")
				return http.StatusOK, n.next(in, text+">"+n.name)
			}
			if in.Replied {
				cancel() // whoever waits gets no response
				return http.StatusOK, n.next(in, text+">"+n.name)
			}
			until := http.Header{"Krt-Until": {strconv.FormatInt(time.Now().Add(time.Hour).UnixNano(), 10)}}
			for i == 0 && other.Mark(ctx, "flow", in.CorrelationID, until, time.Hour) != nil && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			if i != c.at {
				return http.StatusOK, n.next(in, text+">"+n.name)
			}
			begun.Store(ctx.Err() == nil)
			switch {
			case c.errs:
				return http.StatusOK, in.Fail(event.Source("test", "v1", n.name), event.Failure{Code: code.Code_ABORTED, Text: "no"})
			case c.fails:
				return http.StatusBadRequest, nil
			case c.leaves:
				r.passedOn(ctx, i)
				cancel()
			}
			<-working.Done()
			return http.StatusInternalServerError, nil
		})
	}
	_, err = r.call(ctx, "x")
	require.Error(t, err)
	if !begun.Load() {
		return false
	}
	r.empty()
	runs := []int{1, 1, 1}
	runs[c.at]++
	require.Equal(t, runs, []int{v.nodes[0].ran("x"), v.nodes[1].ran("x>a"), v.nodes[2].ran("x>a>b")})
	require.Zero(t, v.letters.count(letter.Dead))
	return true
}

// passedOn waits until the queue has nothing of the step before the one with an index: a client that leaves while the
// queue is yet to say that it has what follows has that step done again.
func (r *replica) passedOn(ctx context.Context, index int) {
	for index > 0 && ctx.Err() == nil {
		has, err := r.carrier.Status(ctx)
		if err == nil && has.Steps[index-1].Events() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// A reply of a node whose event is not at work here, because it was given back and is done again, is not the client's: the
// queue would not know of an early one, and what is behind it would be dropped with the replica.
func TestReplyOfAnEventGivenBack(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[1].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		r.post(in.Next(event.Source("test", "v1", "c"), event.TypeReply, "test.Reply", encode("early")))
		return http.StatusOK, v.nodes[1].next(in, text+">b")
	})
	got, err := r.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a>b>c", got)
	r.shows(`krt_replies_dropped_total{reason="late"} 1`)
}
