package entrypoint_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"krt.dev/kn-krt/pkg/entrypoint"
	"krt.dev/kn-krt/pkg/runner/event"
)

func valueOf(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }

// failed checks an error's code and returns its text and ErrorInfo.
func failed(t *testing.T, err error, want codes.Code) (string, *errdetails.ErrorInfo) {
	t.Helper()
	s, ok := status.FromError(err)
	require.True(t, ok, "%v is not a gRPC status", err)
	require.Equal(t, want, s.Code(), s.Message())
	for _, d := range s.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return s.Message(), info
		}
	}
	return s.Message(), nil
}

func TestDirectPassesThroughTheNodesInOrder(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", false)), node(t, "b", f.says("b", false)), node(t, "c", f.says("c", true))), quick())
	got, err := f.call(t.Context(), "hello")
	require.NoError(t, err)
	require.Equal(t, "hello>a>b>c", got)
}

func TestConcurrentCallersGetTheirOwnAnswers(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.Retry.Count, o.Timeout = 100, 5*time.Minute // on a busy machine so many at once take long
	f.serve(f.version(node(t, "a", f.says("a", false)), node(t, "b", f.says("b", true))), o)
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			got, err := f.call(t.Context(), fmt.Sprint(i))
			if err != nil || got != fmt.Sprintf("%d>a>b", i) {
				t.Errorf("client %d got %q, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

func TestEventsCarryTheirRequest(t *testing.T) {
	f := newFixture(t)
	seen := make(chan *event.Event, 2)
	spy := func(name string, last bool) handle {
		says := f.says(name, last)
		return func(ctx context.Context, in *event.Event) (int, *event.Event) {
			seen <- in
			code, out := says(ctx, in)
			out.CorrelationID, out.ReplyToken, out.Workflow, out.Trace = "forged", "forged", "forged", event.Trace{}
			out.Inspect = 100
			return code, out
		}
	}
	f.serve(f.version(node(t, "a", spy("a", false)), node(t, "b", spy("b", true))), quick())
	trace := event.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "vendor=1"}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", trace.Parent, "tracestate", trace.State)
	_, err := f.call(ctx, "x")
	require.NoError(t, err)
	first, second := <-seen, <-seen
	require.Equal(t, "/krt/test/v1/entrypoint", first.Source)
	require.Equal(t, event.TypeMessage, first.Type)
	require.Equal(t, "test.Request", first.Message)
	require.Equal(t, "flow", first.Workflow)
	require.Len(t, first.CorrelationID, 32)
	require.NotEmpty(t, first.ReplyToken)
	require.WithinDuration(t, time.Now().Add(20*time.Second), first.Deadline, 15*time.Second)
	require.Equal(t, trace, first.Trace)
	// What ties the second event to its request does not come from the node.
	require.Equal(t, first.CorrelationID, second.CorrelationID)
	require.Equal(t, first.ReplyToken, second.ReplyToken)
	require.Zero(t, second.Inspect)
	require.Equal(t, "flow", second.Workflow)
	require.Equal(t, trace, second.Trace)
	require.Equal(t, "/krt/test/v1/a", second.Source)
}

func TestAnErrorEventIsTheCallersError(t *testing.T) {
	f := newFixture(t)
	after := atomic.Int32{}
	fails := func(_ context.Context, in *event.Event) (int, *event.Event) {
		failure := in.Fail("/krt/test/v1/a", event.Failure{Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError,
			Text: "error in 'a': no such room", Node: "a", Version: "v1"})
		require.Equal(t, http.StatusAccepted, f.post("/reply", failure))
		return http.StatusAccepted, nil
	}
	f.serve(f.version(node(t, "a", fails), node(t, "b", func(context.Context, *event.Event) (int, *event.Event) {
		after.Add(1)
		return http.StatusAccepted, nil
	})), quick())
	_, err := f.call(t.Context(), "x")
	text, info := failed(t, err, codes.Internal)
	require.Equal(t, "error in 'a': no such room", text)
	require.Equal(t, "krt.dev", info.GetDomain())
	require.Equal(t, map[string]string{"node": "a", "workflow": "flow", "version": "v1"}, info.GetMetadata())
	require.Zero(t, after.Load(), "the node after the failed one ran")
}

func TestAnEarlyReplyAnswersAtOnceAndTheWorkflowGoesOn(t *testing.T) {
	f := newFixture(t)
	answered, finished := make(chan struct{}), make(chan struct{})
	early := func(_ context.Context, in *event.Event) (int, *event.Event) {
		require.Equal(t, http.StatusAccepted, f.post("/reply",
			in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", "early"))))
		<-answered // the client has its response while this node is still at work
		return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeMessage, "test.Request", nil)
	}
	late := func(_ context.Context, in *event.Event) (int, *event.Event) {
		defer close(finished)
		require.Equal(t, http.StatusAccepted, f.post("/reply", in.Next("/krt/test/v1/b", event.TypeReply, "test.Reply", nil)),
			"a late reply is accepted and dropped")
		return http.StatusOK, in.Next("/krt/test/v1/b", event.TypeMessage, "test.Reply", f.text("test.Reply", "late"))
	}
	f.serve(f.version(node(t, "a", early), node(t, "b", late)), quick())
	got, err := f.call(t.Context(), "x")
	close(answered)
	require.NoError(t, err)
	require.Equal(t, "early", got)
	<-finished
}

func TestAnExitIsTheAnswer(t *testing.T) {
	f := newFixture(t)
	exit := func(_ context.Context, in *event.Event) (int, *event.Event) {
		f.post("/reply", in.Next("/krt/test/v1/a", event.TypeReply, "test.Reply", f.text("test.Reply", "bye")))
		return http.StatusAccepted, nil
	}
	never := func(context.Context, *event.Event) (int, *event.Event) {
		t.Error("the node after an exit ran")
		return http.StatusAccepted, nil
	}
	f.serve(f.version(node(t, "a", exit), node(t, "b", never)), quick())
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "bye", got)
}

func TestANodeThatFailsIsTriedAgainThenNamed(t *testing.T) {
	for status, tries := range map[int]int32{500: 4, 503: 4, 404: 4, 408: 4, 409: 4, 429: 4, 400: 1, 403: 1, 413: 1, 301: 1} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			f := newFixture(t)
			ran := atomic.Int32{}
			ids := sync.Map{}
			f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
				ids.Store(in.ID, true)
				ran.Add(1)
				return status, nil
			})), quick())
			_, err := f.call(t.Context(), "x")
			text, info := failed(t, err, codes.Unavailable)
			require.Equal(t, fmt.Sprintf("node \"a\" responded with HTTP %d: a test's node refuses", status), text)
			require.Equal(t, "a", info.GetMetadata()["node"])
			require.Equal(t, tries, ran.Load())
			distinct := 0
			ids.Range(func(any, any) bool { distinct++; return true })
			require.Equal(t, 1, distinct, "a repeated delivery has the same id")
		})
	}
}

func TestANodeThatIsDownIsNamed(t *testing.T) {
	f := newFixture(t)
	address, _ := closed(t)
	f.serve(f.version(entrypoint.Step{Node: "gone", URL: "http://" + address}), quick())
	_, err := f.call(t.Context(), "x")
	text, info := failed(t, err, codes.Unavailable)
	require.Contains(t, text, `node "gone" cannot be reached: `)
	require.Contains(t, text, "connection refused")
	require.Equal(t, event.ReasonUnavailable, info.GetReason())
}

func TestANodeThatComesBackAnswers(t *testing.T) {
	f := newFixture(t)
	tries := atomic.Int32{}
	says := f.says("a", true)
	f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		if tries.Add(1) < 3 {
			return http.StatusServiceUnavailable, nil
		}
		return says(ctx, in)
	})), quick())
	got, err := f.call(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "x>a", got)
}

func TestAnAnswerOfAnotherTypeIsAnError(t *testing.T) {
	f := newFixture(t)
	o, l := logged()
	f.serve(f.version(node(t, "a", f.says("a", false))), o)
	_, err := f.call(t.Context(), "x")
	text, info := failed(t, err, codes.Internal)
	require.Contains(t, l.String(), `msg="wrong output" workflow=flow`)
	require.Contains(t, l.String(), `node=a error="expected test.Reply as the response of`)
	require.Equal(t, "error in 'a': expected test.Reply as the response of rpc test.Entrypoint/Call, got test.Request", text)
	require.Equal(t, event.ReasonWrongOutput, info.GetReason())
}

func TestTheDeadlineEndsARequestAndCancelsTheNode(t *testing.T) {
	for _, name := range []string{"of the client", "of the version"} {
		t.Run(name, func(t *testing.T) {
			inTime(t, 2*time.Second, func(patience time.Duration) bool {
				f := newFixture(t)
				var reached atomic.Bool
				cancelled := make(chan struct{})
				o, client := quick(), patience
				o.Timeout = time.Minute
				if name == "of the version" {
					o.Timeout, client = client, o.Timeout
				}
				f.serve(f.version(node(t, "slow", func(ctx context.Context, _ *event.Event) (int, *event.Event) {
					reached.Store(true)
					<-ctx.Done()
					close(cancelled)
					return http.StatusAccepted, nil
				})), o)
				ctx, cancel := context.WithTimeout(t.Context(), client)
				defer cancel()
				_, err := f.call(ctx, "x")
				text, info := failed(t, err, codes.DeadlineExceeded)
				if !reached.Load() {
					return false
				}
				if name == "of the version" { // otherwise the client's own library reports it
					require.Equal(t, `workflow "flow" did not respond in time: node "slow" was processing the event`, text)
					require.Equal(t, "slow", info.GetMetadata()["node"])
				}
				<-cancelled
				return true
			})
		})
	}
}

func TestACallerThatCancelsCancelsTheNode(t *testing.T) {
	f := newFixture(t)
	begun, cancelled := make(chan struct{}), make(chan struct{})
	f.serve(f.version(node(t, "slow", func(ctx context.Context, _ *event.Event) (int, *event.Event) {
		close(begun)
		<-ctx.Done()
		close(cancelled)
		return http.StatusAccepted, nil
	})), quick())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := f.call(ctx, "x")
	failed(t, err, codes.Canceled)
	<-cancelled
}

func TestAMessageAboveTheLimitIsRefused(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 1000
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", strings.Repeat("x", 2000)))
	})), o)
	_, err := f.call(t.Context(), strings.Repeat("x", 2000))
	text, _ := failed(t, err, codes.ResourceExhausted)
	require.Contains(t, text, "the limit is 1000")
	_, err = f.call(t.Context(), "x")
	text, info := failed(t, err, codes.ResourceExhausted)
	require.Contains(t, text, `node "a": its response is too large`)
	require.Equal(t, event.ReasonTooLarge, info.GetReason())
}

func TestRequestsAboveTheLimitInFlightAreRefused(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxInFlight = 1
	begun, release := make(chan struct{}), make(chan struct{})
	says := f.says("a", true)
	f.serve(f.version(node(t, "a", func(ctx context.Context, in *event.Event) (int, *event.Event) {
		close(begun)
		<-release
		return says(ctx, in)
	})), o)
	first := make(chan error, 1)
	go func() {
		_, err := f.call(t.Context(), "x")
		first <- err
	}()
	<-begun
	_, err := f.call(t.Context(), "y")
	_, info := failed(t, err, codes.ResourceExhausted)
	require.Equal(t, event.ReasonOverload, info.GetReason())
	close(release)
	require.NoError(t, <-first)
}

func TestUnknownRpcsSayWhatThereIs(t *testing.T) {
	f := newFixture(t)
	f.serve(f.version(node(t, "a", f.says("a", true))), quick())
	for method, want := range map[string]string{
		"/test.Entrypoint/Untied":  `no workflow of version "v1" serves rpc test.Entrypoint/Untied`,
		"/test.Entrypoint/Stream":  `rpc test.Entrypoint/Stream is client-streaming; a workflow starts with one message`,
		"/test.Entrypoint/Nothing": `version "v1" has no rpc /test.Entrypoint/Nothing; its workflows are "flow"`,
	} {
		err := f.conn.Invoke(t.Context(), method, f.message("test.Request"), f.message("test.Reply"))
		text, _ := failed(t, err, codes.Unimplemented)
		require.Equal(t, want, text)
	}
}

func TestAnInconsistentVersionIsRefused(t *testing.T) {
	f := newFixture(t)
	stream, call := f.schema.Methods()[3], f.schema.Methods()[0]
	step := []entrypoint.Step{{Node: "a", URL: "http://127.0.0.1:1"}}
	for want, workflows := range map[string][]entrypoint.Workflow{
		"is client-streaming": {{Name: "w", Method: stream, Steps: step}},
		"it has no steps; a streaming rpc needs at least one": {{Name: "w", Method: f.schema.Methods()[4], Address: "http://127.0.0.1:1"}},
		"no steps":                      {{Name: "w", Method: call}},
		"share the rpc":                 {{Name: "w", Method: call, Steps: step}, {Name: "x", Method: call, Steps: step}},
		`its URL "nowhere" has no host`: {{Name: "w", Method: call, Steps: []entrypoint.Step{{Node: "a", URL: "nowhere"}}}},
		`its shortcut "nowhere" has no host`: {{Name: "w", Method: call,
			Steps: []entrypoint.Step{{Node: "a", URL: "http://127.0.0.1:1", Shortcut: "nowhere"}}}},
		"workflow \"w\": it has no rpc": {{Name: "w", Steps: step}},
		"two workflows are named \"same\"": {{Name: "same", Method: call, Steps: step},
			{Name: "same", Method: f.schema.Methods()[1], Steps: step}},
	} {
		v := f.version()
		v.Workflows = workflows
		_, err := entrypoint.New(v, quick())
		require.ErrorContains(t, err, want)
	}
}
