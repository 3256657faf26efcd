package durable_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/durable"
	"krt.dev/kn-krt/pkg/entrypoint/mail"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/queue"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/jetstream"
)

func start(t *testing.T) *version {
	t.Helper()
	return newVersion(t, jetstream.Start(t, jetstream.Options(t.TempDir(), -1)).ClientURL())
}

func TestClientGetsTheResponse(t *testing.T) {
	v := start(t)
	r := v.serve()
	got, err := r.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a>b>c", got)
	r.empty()
	r.shows(
		`krt_step_attempts_total{node="b",result="ok",workflow="flow"} 1`,
		`krt_requests_total{code="OK",workflow="flow"} 1`,
		`krt_queue_pending{node="b",workflow="flow"} 0`,
		`krt_queue_redelivered_total{node="a",workflow="flow"} `,
		`krt_step_duration_seconds_count{node="c",outcome="ok",workflow="flow"} 1`,
	)
	require.Zero(t, v.letters.count(letter.Result), "it has been delivered")
}

// Whichever replica carries the last step, the client gets the response at its own.
func TestOtherReplicasCarry(t *testing.T) {
	v := start(t)
	first, second := v.serve(), v.serve()
	for range 20 {
		for _, r := range []*replica{first, second} {
			got, err := r.call(t.Context(), "x")
			require.NoError(t, err)
			require.Equal(t, "x>a>b>c", got)
		}
	}
	first.empty()
	for _, r := range []*replica{first, second} { // nodes: the queue may be tried again, on a busy machine
		require.NotRegexp(t, `node="[abc]",result="retried",workflow="flow"} [1-9]`, r.metrics())
	}
}

func TestResultIsKept(t *testing.T) {
	v := start(t)
	r := v.serve()
	id := r.accepted("x")
	l := v.letters.await(t, letter.Result, id)
	require.Equal(t, "x>a>b>c", decode(t, l.Data))
	require.Equal(t, []any{"test.Reply", "flow", "x"}, []any{l.Message, l.Workflow, l.CausationID})
	require.Nil(t, l.Status)
	require.NotContains(t, l.Event, "krtreply", "whoever reads it could respond")
	r.empty()
	r.shows(`krt_requests_total{code="OK",workflow="flow"} 1`,
		`krt_step_duration_seconds_count{node="c",outcome="ok",workflow="flow"} 1`)
}

func TestFailureIsADeadLetterThatIsReplayed(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[1].works(func(context.Context, *event.Event, string) (int, *event.Event) {
		return http.StatusInternalServerError, nil
	})
	id := r.accepted("x")
	failed := v.letters.await(t, letter.Result, id)
	require.Equal(t, "UNAVAILABLE", failed.Status.Code)
	dead := v.letters.await(t, letter.Dead, id+"/1")
	require.Equal(t, []any{"b", 1, "x>a", "test.Request", 0},
		[]any{dead.Node, dead.Step, decode(t, dead.Data), dead.Message, dead.Replays})
	require.Contains(t, dead.Status.Message, `node "b" responded with HTTP 500`)
	require.Equal(t, 4, v.nodes[1].ran("x>a"), "it was tried again three times")
	r.empty()
	r.shows(`krt_dead_letters_total{node="b",workflow="flow"} 1`)

	v.succeeds(func() error { return r.carrier.Replay(t.Context(), *dead) }) // it fails again
	require.Eventually(t, func() bool {
		l := v.letters.find(letter.Dead, id+"/1")
		return l != nil && l.Replays == 1
	}, patient, time.Millisecond)
	v.nodes[1].works(nil)
	again := *v.letters.find(letter.Dead, id+"/1")
	v.succeeds(func() error { return r.carrier.Replay(t.Context(), again) })
	require.Eventually(t, func() bool { return v.letters.find(letter.Dead, id+"/1") == nil }, patient, time.Millisecond)
	require.Equal(t, "x>a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	require.Equal(t, 1, v.nodes[0].ran("x"), "it went on where it failed")

	dead.Node = "other"
	require.ErrorContains(t, r.carrier.Replay(t.Context(), *dead), `step 2 of workflow "flow" was node "other", and its nodes are now a, b, c`)
	dead.Node, dead.Message = "b", "" // its message was too large to be kept
	require.ErrorContains(t, r.carrier.Replay(t.Context(), *dead), "the letter has no event")

	dead.Message = "test.Request"
	r.way.cut()
	var refusal *mail.Refusal
	require.ErrorAs(t, r.carrier.Replay(t.Context(), *dead), &refusal)
	require.Equal(t, http.StatusServiceUnavailable, refusal.Status)
}

// A handler's error comes at the reply port, perhaps of another replica than the one that carries
// the event, which alone has what the letter needs.
func TestHandlerErrorIsADeadLetter(t *testing.T) {
	v := start(t)
	first, second := v.serve(), v.serve()
	var turn atomic.Int64
	v.nodes[2].works(func(_ context.Context, in *event.Event, _ string) (int, *event.Event) {
		at := []*replica{first, second}[turn.Add(1)%2]
		require.Equal(t, http.StatusAccepted, at.post(in.Fail(event.Source("test", "v1", "c"), event.Failure{
			Code: code.Code_FAILED_PRECONDITION, Reason: event.ReasonHandlerError, Text: "no such room", Node: "c",
		})))
		return ended()
	})
	for range 8 {
		id := first.accepted("x")
		dead := v.letters.await(t, letter.Dead, id+"/2")
		require.Equal(t, []any{"FAILED_PRECONDITION", "no such room", "x>a>b"},
			[]any{dead.Status.Code, dead.Status.Message, decode(t, dead.Data)})
		require.Equal(t, "no such room", v.letters.await(t, letter.Result, id).Status.Message)
	}
	_, err := second.call(t.Context(), "y")
	require.Equal(t, codes.FailedPrecondition, status.Code(err), "a client gets it, and there is no letter")
	first.empty()
	require.Equal(t, 8, v.letters.count(letter.Dead))
}

// An early exit of an asynchronous request is its result.
func TestExitIsTheResult(t *testing.T) {
	v := start(t)
	first, second := v.serve(), v.serve()
	v.nodes[1].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		second.post(in.Next(event.Source("test", "v1", "b"), event.TypeReply, "test.Reply", encode(text+" bye")))
		return ended()
	})
	require.Equal(t, "x>a bye", decode(t, v.letters.await(t, letter.Result, first.accepted("x")).Data))
	got, err := first.call(t.Context(), "y")
	require.NoError(t, err)
	require.Equal(t, "y>a bye", got)
	require.Zero(t, v.nodes[2].ran("x>a"))
}

// What goes on behind an early reply is not ended by its client, and a failure of it is kept.
func TestWorkBehindAnEarlyReply(t *testing.T) {
	v := start(t)
	first, second := v.serve(), v.serve()
	v.nodes[0].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		second.post(in.Next(event.Source("test", "v1", "a"), event.TypeReply, "test.Reply", encode("early")))
		return http.StatusOK, v.nodes[0].next(in, text+">a")
	})
	release := make(chan struct{})
	v.nodes[1].works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		<-release
		if ctx.Err() != nil || !in.Replied {
			return http.StatusBadRequest, nil
		}
		return http.StatusOK, v.nodes[1].next(in, text+">b")
	})
	v.nodes[2].works(func(context.Context, *event.Event, string) (int, *event.Event) { return http.StatusForbidden, nil })
	ctx, cancel := context.WithCancel(t.Context())
	got, err := first.call(ctx, "x")
	cancel()
	require.NoError(t, err)
	require.Equal(t, "early", got)
	close(release)
	first.empty()
	require.Equal(t, 1, v.letters.count(letter.Dead))
	require.Zero(t, v.letters.count(letter.Result), "the client had its response")
	require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
}

// While the store is away, letters wait in the queue, and no node works again because of that.
func TestStoreIsAway(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.letters.setAway(true)
	id := r.accepted("x")
	require.Eventually(t, func() bool {
		status, err := r.carrier.Status(t.Context())
		return err == nil && status.Events == 1 && len(status.Steps) == 4 && status.Steps[3].Events() == 1 && status.Steps[3].Redelivered == 1
	}, patient, 5*time.Millisecond)
	v.letters.setAway(false)
	l := v.letters.await(t, letter.Result, id)
	require.Equal(t, []any{"x>a>b>c", "x", "flow", "c"}, []any{decode(t, l.Data), l.CausationID, l.Workflow, l.Node})
	r.empty()
	require.Equal(t, 1, v.nodes[2].ran("x>a>b"))
}

// A node that cannot be reached costs an event none of its retries.
func TestNodeIsAway(t *testing.T) {
	v := start(t)
	r := v.serve()
	v.nodes[1].kill()
	id := r.accepted("x")
	often := regexp.MustCompile(`krt_queue_redelivered_total\{node="b",workflow="flow"\} ([6-9]|[1-9]\d+)\n`)
	require.Eventually(t, func() bool { return often.MatchString(r.metrics()) }, patient, 5*time.Millisecond)
	v.nodes[1].start()
	require.Equal(t, "x>a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	require.Zero(t, v.letters.count(letter.Dead))
	require.Equal(t, 1, v.nodes[0].ran("x"))
}

func TestBusyNodeIsWaitedFor(t *testing.T) {
	v := start(t)
	var refused atomic.Int64
	busy := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused.Add(1) <= 6 {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		v.nodes[1].ServeHTTP(w, r)
	})
	v.nodes[1].server.Handler = busy
	r := v.serve()
	got, err := r.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a>b>c", got)
}

func TestQueueIsAway(t *testing.T) {
	v := newVersion(t, "")
	v.change = func(o *durable.Options) { o.Queue.URL = "nats://user:secret@127.0.0.1:1" }
	v.options = func(o *entrypoint.Options) { o.Retry.Patience = 50 * time.Millisecond }
	r := v.serve()
	_, err := r.call(t.Context(), "x")
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.Contains(t, err.Error(), "the queue nats://127.0.0.1:1 cannot be reached")
	require.NotContains(t, err.Error(), "secret")
	_, got := r.async("x")
	require.Equal(t, http.StatusServiceUnavailable, got)
	require.NotContains(t, r.metrics(), "krt_queue_pending{", "it is not known")
}

// Requests are refused when the queue is full, and what it has goes on.
func TestQueueIsFull(t *testing.T) {
	v := start(t)
	v.queue.MaxBytes = 32 << 10
	release := make(chan struct{})
	v.nodes[0].works(func(_ context.Context, in *event.Event, text string) (int, *event.Event) {
		<-release
		return http.StatusOK, v.nodes[0].next(in, text[:1])
	})
	r := v.serve()
	var ids []string
	got := http.StatusAccepted
	require.Eventually(t, func() bool {
		var id string
		if id, got = r.async(strings.Repeat("x", 4<<10)); got == http.StatusAccepted {
			ids = append(ids, id)
		}
		return got != http.StatusAccepted
	}, patient, time.Millisecond)
	require.Contains(t, []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}, got)
	require.GreaterOrEqual(t, len(ids), 4)
	_, err := r.call(t.Context(), strings.Repeat("x", 4<<10))
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.ErrorContains(t, err, "the queue is full")
	close(release)
	for _, id := range ids {
		require.Equal(t, "x>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	}
}

func TestEventIsLargerThanTheQueueAccepts(t *testing.T) {
	options := jetstream.Options(t.TempDir(), -1)
	options.MaxPayload = 1 << 20
	v := newVersion(t, jetstream.Start(t, options).ClientURL())
	r := v.serve()
	_, err := r.call(t.Context(), strings.Repeat("x", 1<<20))
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
	require.ErrorContains(t, err, "does not accept the event")
	v.nodes[0].works(func(_ context.Context, in *event.Event, _ string) (int, *event.Event) {
		return http.StatusOK, v.nodes[0].next(in, strings.Repeat("y", 1<<20))
	})
	_, err = r.call(t.Context(), "x")
	require.Equal(t, codes.ResourceExhausted, status.Code(err), "between nodes")
}

// A client that leaves ends the work of the replica that holds its request.
func TestClientLeaves(t *testing.T) {
	v := start(t)
	r := v.serve()
	begun, cancelled := make(chan struct{}), make(chan struct{})
	v.nodes[1].works(func(ctx context.Context, _ *event.Event, _ string) (int, *event.Event) {
		close(begun)
		<-ctx.Done()
		close(cancelled)
		return http.StatusInternalServerError, nil
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-begun; leave() }()
	_, err := r.call(ctx, "x")
	require.Equal(t, codes.Canceled, status.Code(err))
	<-cancelled
	r.empty()
	require.Zero(t, v.letters.count(letter.Dead))
}

func TestDeadlines(t *testing.T) {
	v := start(t)
	v.change = func(o *durable.Options) { o.Background = 300 * time.Millisecond }
	r := v.serve()
	v.nodes[1].works(func(ctx context.Context, _ *event.Event, _ string) (int, *event.Event) {
		<-ctx.Done()
		return http.StatusInternalServerError, nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := r.call(ctx, "x")
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
	r.empty()
	require.Zero(t, v.letters.count(letter.Dead), "the client has learned it")
	require.Equal(t, "DEADLINE_EXCEEDED", r.givenUp(1).Status.Code)
}

// givenUp sends events that nobody waits for until one of them has been given up on, for whatever reason, at the step with an
// index. A busy machine may take longer to accept one, or to bring it there, than its work may.
func (r *replica) givenUp(step int) (dead *letter.Letter) {
	r.version.t.Helper()
	find := r.version.letters.find
	require.Eventually(r.version.t, func() bool {
		id, status := r.async("y")
		if status != http.StatusAccepted {
			return false
		}
		at := func(i int) string { return letter.DeadID(id, i) }
		for dead = nil; dead == nil && find(letter.Dead, at(0)) == nil && r.version.t.Context().Err() == nil; {
			time.Sleep(time.Millisecond)
			dead = find(letter.Dead, at(step))
		}
		return dead != nil
	}, patient, time.Millisecond)
	return dead
}

// The rest of a replica's events is given to another one at once, and clients that wait get
// their responses before it ends.
func TestStop(t *testing.T) {
	for begin := time.Now(); givenBack(t) > queue.AckWait; { // a busy machine may take as long
		require.Less(t, time.Since(begin), 2*patient, "it was not given back, but missed")
	}
}

// givenBack stops a replica that has an event at work, and returns after what time another one has done it.
func givenBack(t *testing.T) time.Duration {
	v := start(t)
	v.options = func(o *entrypoint.Options) { o.ConnectionGrace = 500 * time.Millisecond }
	first := v.serve()
	begun := make(chan struct{}, 100)
	v.nodes[0].works(func(ctx context.Context, in *event.Event, text string) (int, *event.Event) {
		begun <- struct{}{}
		<-ctx.Done()
		return http.StatusInternalServerError, nil
	})
	id := first.accepted("x")
	<-begun
	second := v.serve()
	v.nodes[0].works(nil)
	before := time.Now()
	first.stop()
	first.ended()
	require.Equal(t, "x>a>b>c", decode(t, v.letters.await(t, letter.Result, id).Data))
	took := time.Since(before)
	second.empty()
	return took
}

// A stream that somebody has deleted is made again.
func TestStreamIsGone(t *testing.T) {
	v := start(t)
	r := v.serve()
	r.accepted("x")
	r.empty()
	owner := ownerOf(t, v)
	v.succeeds(func() error { return owner.Delete(t.Context(), "test", "v1") })
	require.Eventually(t, func() bool {
		got, err := r.call(t.Context(), "y")
		return err == nil && got == "y>a>b>c"
	}, patient, 10*time.Millisecond)
}
