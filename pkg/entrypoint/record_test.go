package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// records keeps what it observes.
type records struct {
	mu  sync.Mutex
	all []*record.Record
	n   atomic.Int32
}

// Observe implements record.Observer.
func (r *records) Observe(one *record.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one.Clone())
	r.n.Add(1)
}

// observed are options with an observer.
func observed() (entrypoint.Options, *records) {
	o, r := quick(), &records{}
	o.Observers = []record.Observer{r}
	return o, r
}

// take returns what has been observed, once it is n records: a request may be over before it is observed.
func (r *records) take(t *testing.T, n int) (all []*record.Record) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		r.mu.Lock()
		defer r.mu.Unlock()
		require.Len(c, r.all, n)
		all = r.all
	}, time.Minute, time.Millisecond)
	return all
}

// ran is what a test's node reports.
func ran(node string, outcome event.Outcome) event.Step {
	s := event.Step{Node: node, Start: time.Now(), Wait: 2 * time.Microsecond, Run: 3 * time.Microsecond, Outcome: outcome}
	copy(s.SpanID[:], "span of "+node+"        ")
	return s
}

// reporting is h that reports its step in the event that it responds with.
func reporting(name string, h handle) handle {
	return func(ctx context.Context, in *event.Event) (int, *event.Event) {
		status, out := h(ctx, in)
		if out != nil {
			out.Steps = out.Steps.Append(ran(name, event.OutcomeOK))
		}
		return status, out
	}
}

// stepsOf is a record's steps, in words.
func stepsOf(r *record.Record) string {
	words := make([]string, len(r.Steps))
	for i, s := range r.Steps {
		words[i] = s.Node + " " + s.Outcome.String()
	}
	return strings.Join(words, ", ")
}

func TestARecordIsWhatBecameOfARequest(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	f.serve(f.version(node(t, "a", reporting("a", f.says("a", false))), node(t, "b", reporting("b", f.says("b", true)))), o)
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	before := time.Now()
	_, err := f.call(metadata.AppendToOutgoingContext(t.Context(), "traceparent", parent), "hello")
	require.NoError(t, err)
	require.EqualValues(t, 1, seen.n.Load(), "observed before the client has the end of the call")
	r := seen.take(t, 1)[0]
	require.Len(t, r.ID, 32)
	require.Equal(t, []string{"v1", "flow", "test.Entrypoint/Call", "grpc"}, []string{r.Version, r.Workflow, r.Method, string(r.Protocol)})
	require.Equal(t, []any{code.Code_OK, "", "", "", record.Early("")}, []any{r.Code, r.Reason, r.Node, r.Error, r.Early})
	require.Equal(t, []int{7, 11}, []int{r.RequestBytes, r.ResponseBytes})
	require.Equal(t, event.Trace{Parent: parent}, r.Trace)
	require.True(t, r.Sampled)
	require.False(t, r.Async || r.Background)
	require.False(t, r.Begin.Before(before) || r.End.Before(r.Begin) || r.End.After(time.Now()))
	require.Equal(t, "a ok, b ok", stepsOf(r))
	require.Equal(t, []time.Duration{2 * time.Microsecond, 3 * time.Microsecond}, []time.Duration{r.Steps[0].Wait, r.Steps[0].Run})
	require.Len(t, r.Sends, 2)
	for i, s := range r.Sends {
		want := record.Send{Node: []string{"a", "b"}[i], Begin: s.Begin, End: s.End, Attempt: 1, Status: 200, Result: record.ResultOK}
		require.Equal(t, want, s)
		require.False(t, s.Begin.Before(r.Begin) || s.End.Before(s.Begin) || s.End.After(r.End))
	}
}

func TestARetryIsTwoSends(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	var calls atomic.Int32
	says := reporting("a", f.says("a", true))
	f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		if calls.Add(1) == 1 {
			return http.StatusServiceUnavailable, nil
		}
		return says(ctx, in)
	})), o)
	_, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	r := seen.take(t, 1)[0]
	require.Equal(t, "a ok", stepsOf(r))
	require.Len(t, r.Sends, 2)
	first, second := r.Sends[0], r.Sends[1]
	require.Equal(t, []any{1, 503, record.ResultRetried}, []any{first.Attempt, first.Status, first.Result})
	require.Contains(t, first.Error, "HTTP 503")
	require.Equal(t, []any{2, 200, record.ResultOK, ""}, []any{second.Attempt, second.Status, second.Result, second.Error})
}

func TestANodeThatGivesUpIsInTheRecord(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	second := func(context.Context, *event.Event) (int, *event.Event) { return http.StatusBadGateway, nil }
	f.serve(f.version(node(t, "a", reporting("a", f.says("a", false))), node(t, "b", second)), o)
	_, err := f.call(t.Context(), "x")
	failed(t, err, codes.Unavailable)
	r := seen.take(t, 1)[0]
	require.Equal(t, []any{code.Code_UNAVAILABLE, event.ReasonUnavailable, "b"}, []any{r.Code, r.Reason, r.Node})
	require.Contains(t, r.Error, `node "b" responded with HTTP 502`)
	require.Equal(t, "a ok", stepsOf(r), "what b did is not known")
	require.Len(t, r.Sends, 5)
	require.Equal(t, []any{4, record.ResultGaveUp}, []any{r.Sends[4].Attempt, r.Sends[4].Result})
}

// ending makes a node's handler that ends the request at the reply port.
func (f *fixture) ending(name string, outcome event.Outcome, reply func(in *event.Event) *event.Event) handle {
	return func(_ context.Context, in *event.Event) (int, *event.Event) {
		out := reply(in)
		out.Steps = in.Steps.Append(ran(name, outcome))
		require.Equal(f.t, http.StatusAccepted, f.post("/reply", out))
		return http.StatusAccepted, nil
	}
}

// TestWhatTheReplyPortGetsEndsTheRecord: an exit and an error, by either delivery.
func TestWhatTheReplyPortGetsEndsTheRecord(t *testing.T) {
	for _, delivery := range []string{"Direct", "Sequence"} {
		for _, outcome := range []event.Outcome{event.OutcomeExit, event.OutcomeError} {
			t.Run(delivery+"/"+outcome.String(), func(t *testing.T) {
				f := newFixture(t)
				o, seen := observed()
				second := f.ending("b", outcome, func(in *event.Event) *event.Event {
					if outcome == event.OutcomeError {
						return in.Fail("/krt/test/v1/b", event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "no", Node: "b"})
					}
					return in.Next("/krt/test/v1/b", event.TypeReply, "test.Reply", f.text("test.Reply", "out"))
				})
				f.chain(delivery, o, reporting("a", f.says("a", false)), second)
				_, err := f.call(t.Context(), "x")
				require.Equal(t, outcome == event.OutcomeError, err != nil)
				f.awaitIdle()
				r := seen.take(t, 1)[0]
				require.Equal(t, "a ok, b "+outcome.String(), stepsOf(r))
				if outcome == event.OutcomeError {
					require.Equal(t, []any{code.Code_INTERNAL, "HANDLER_ERROR", "b", "no"}, []any{r.Code, r.Reason, r.Node, r.Error})
					return
				}
				require.Equal(t, record.EarlyExit, r.Early)
			})
		}
	}
}

// chain serves two nodes by the given delivery: a Sequence is one node of the test
// that calls both.
func (f *fixture) chain(delivery string, o entrypoint.Options, first, second handle) {
	v := f.version(node(f.t, "a", first), node(f.t, "b", second))
	if delivery == "Sequence" {
		v.Workflows[0].Address = node(f.t, "sequence", func(ctx context.Context, in *event.Event) (int, *event.Event) {
			_, next := first(ctx, in)
			if next == nil {
				return http.StatusAccepted, nil
			}
			if _, last := second(ctx, next); last != nil {
				require.Equal(f.t, http.StatusAccepted, f.post("/reply", last))
			}
			return http.StatusAccepted, nil
		}).URL
	}
	f.serve(v, o)
}

// TestWorkBehindAReplyHasItsOwnRecord: with what is new since the response.
func TestWorkBehindAReplyHasItsOwnRecord(t *testing.T) {
	for _, delivery := range []string{"Direct", "Sequence"} {
		for _, fails := range []bool{false, true} {
			t.Run(delivery+map[bool]string{true: "/fails"}[fails], func(t *testing.T) {
				f := newFixture(t)
				o, seen := observed()
				answered := make(chan struct{})
				says := reporting("a", f.says("a", false))
				first := func(ctx context.Context, in *event.Event) (int, *event.Event) {
					early := in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", "early"))
					early.Steps = in.Steps.Append(ran("a", event.OutcomeReply))
					require.Equal(t, http.StatusAccepted, f.post("/reply", early))
					<-answered
					return says(ctx, in)
				}
				second := reporting("b", f.says("b", true))
				if fails {
					second = f.ending("b", event.OutcomeError, func(in *event.Event) *event.Event {
						return in.Fail("/krt/test/v1/b", event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "no", Node: "b"})
					})
				}
				f.chain(delivery, o, first, second)
				got, err := f.call(t.Context(), "x")
				require.NoError(t, err)
				require.Equal(t, "early", got)
				r := seen.take(t, 1)[0]
				require.Equal(t, []any{record.EarlyReply, false, "a reply"}, []any{r.Early, r.Background, stepsOf(r)})
				require.Empty(t, r.Sends, "the POST has no response yet")
				close(answered)
				f.awaitIdle()
				rest := seen.take(t, 2)[1]
				require.Equal(t, []any{r.ID, r.Begin, record.EarlyReply, true}, []any{rest.ID, rest.Begin, rest.Early, rest.Background})
				require.False(t, rest.End.Before(r.End))
				if fails {
					require.Equal(t, "a ok, b error", stepsOf(rest))
					require.Equal(t, []any{code.Code_INTERNAL, "b", "no"}, []any{rest.Code, rest.Node, rest.Error})
				} else {
					require.Equal(t, "a ok, b ok", stepsOf(rest))
					require.Equal(t, code.Code_OK, rest.Code)
				}
				require.Len(t, rest.Sends, map[string]int{"Direct": 2, "Sequence": 1}[delivery])
			})
		}
	}
}

// TestASilentEndIsInTheRecord: of a node that replied early, and then returned nothing.
func TestASilentEndIsInTheRecord(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	answered := make(chan struct{})
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		early := in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", "early"))
		early.Steps = in.Steps.Append(ran("a", event.OutcomeReply))
		require.Equal(t, http.StatusAccepted, f.post("/reply", early))
		<-answered
		return http.StatusAccepted, &event.Event{Steps: in.Steps.Append(ran("a", event.OutcomeOK))}
	}), node(t, "b", f.says("b", true))), o)
	_, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "a reply", stepsOf(seen.take(t, 1)[0]))
	close(answered)
	f.awaitIdle()
	rest := seen.take(t, 2)[1]
	require.Equal(t, []any{true, "a ok", code.Code_OK}, []any{rest.Background, stepsOf(rest), rest.Code})
	require.Empty(t, rest.Unended)
}

// TestStepsOfOthersAreNotBelieved: a node reports its own step only.
func TestStepsOfOthersAreNotBelieved(t *testing.T) {
	for name, forge := range map[string]func(event.Steps) event.Steps{
		"rewritten": func(event.Steps) event.Steps {
			return event.Steps("").Append(ran("a", event.OutcomeError)).Append(ran("b", 0))
		},
		"left out":  func(event.Steps) event.Steps { return event.Steps("").Append(ran("b", 0)) },
		"unknown":   func(s event.Steps) event.Steps { return s.Append(ran("other", 0)) },
		"junk":      func(event.Steps) event.Steps { return "a;;;,b;c,\x01" },
		"oversized": func(event.Steps) event.Steps { return event.Steps(strings.Repeat("b;1;1;1;00f067aa0ba902b7;ok,", 500)) },
		"of a long time": func(s event.Steps) event.Steps {
			return s.Append(event.Step{Node: "b", Start: time.Now().Add(-24 * time.Hour), Run: 48 * time.Hour, SpanID: [8]byte{1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o, seen := observed()
			says := f.says("b", true)
			second := func(ctx context.Context, in *event.Event) (int, *event.Event) {
				status, out := says(ctx, in)
				out.Steps = forge(in.Steps)
				return status, out
			}
			f.serve(f.version(node(t, "a", reporting("a", f.says("a", false))), node(t, "b", second)), o)
			got, err := f.call(t.Context(), "x")
			require.NoError(t, err)
			require.Equal(t, "x>a>b", got)
			r := seen.take(t, 1)[0]
			require.Contains(t, []string{"a ok", "a ok, b ok"}, stepsOf(r))
			for _, s := range r.Steps {
				require.False(t, s.Start.Before(r.Begin) || s.Start.Add(s.Wait+s.Run).After(r.End), "outside of the request")
			}
		})
	}
}

// TestADeadlineInventsNoSteps: what is known is what came before.
func TestADeadlineInventsNoSteps(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	var reached atomic.Bool
	second := func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		reached.Store(true)
		<-ctx.Done()
		return http.StatusAccepted, nil
	}
	f.serve(f.version(node(t, "a", reporting("a", f.says("a", false))), node(t, "b", second)), o)
	calls := 0
	inTime(t, 2*time.Second, func(patience time.Duration) bool {
		calls++
		_, err := f.call(promised{t.Context(), time.Now().Add(patience)}, "x")
		require.Error(t, err)
		return reached.Load()
	})
	f.awaitIdle()
	r := seen.take(t, calls)[calls-1]
	require.Equal(t, "a ok", stepsOf(r))
	require.Equal(t, []string{"DEADLINE_EXCEEDED", "b"}, []string{r.Code.String(), r.Node})
}

func TestADeadLetterHasTheStepsBeforeIt(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	v := f.version(entrypoint.Step{Node: "a"}, entrypoint.Step{Node: "b"})
	v.Workflows[0].Address = node(t, "sequence", func(_ context.Context, in *event.Event) (int, *event.Event) {
		in.Steps = in.Steps.Append(ran("a", event.OutcomeOK))
		status := f.post("/dead-letter", in, "Ce-Knativeerrordest", "http://v1-b.test.svc", "Ce-Knativeerrorcode", "502")
		require.Equal(t, http.StatusAccepted, status)
		return http.StatusAccepted, nil
	}).URL
	f.serve(v, o)
	_, err := f.call(t.Context(), "x")
	failed(t, err, codes.Unavailable)
	r := seen.take(t, 1)[0]
	require.Equal(t, []string{"a ok", "b", event.ReasonUnavailable}, []string{stepsOf(r), r.Node, r.Reason})
}

func TestRefusalsAndAsynchronousRequestsAreObserved(t *testing.T) {
	f := newFixture(t)
	o, seen := observed()
	o.MaxInFlight = 1
	arrived, proceed := make(chan struct{}), make(chan struct{})
	says := reporting("a", f.says("a", true))
	f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		close(arrived)
		<-proceed
		return says(ctx, in)
	})), o)
	res := f.send(http.MethodPost, "/workflows/flow", `{"text":"x"}`, append(producer(), "Prefer", "respond-async")...)
	require.Equal(t, http.StatusAccepted, res.StatusCode)
	<-arrived
	_, err := f.call(t.Context(), "x")
	failed(t, err, codes.ResourceExhausted)
	refused := seen.take(t, 1)[0]
	require.Equal(t, []any{code.Code_RESOURCE_EXHAUSTED, event.ReasonOverload, "flow", record.GRPC},
		[]any{refused.Code, refused.Reason, refused.Workflow, refused.Protocol})
	close(proceed)
	f.awaitIdle()
	r := seen.take(t, 2)[1]
	require.Equal(t, []any{true, "42", record.CloudEvent, "a ok", code.Code_OK}, []any{r.Async, r.Causation, r.Protocol, stepsOf(r), r.Code})
}
