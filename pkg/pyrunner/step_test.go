package pyrunner_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// earlier is what a node before has reported.
const earlier = "etl;1714979289123456;12;3400;00f067aa0ba902b7;ok;c"

// reported returns the entry that the node has appended to what was there before.
func reported(t testing.TB, e *event.Event) event.Step {
	t.Helper()
	require.NotNil(t, e)
	rest, ok := strings.CutPrefix(string(e.Steps), earlier+",")
	require.True(t, ok, e.Steps)
	steps := event.Steps(rest).AppendTo(nil)
	require.Len(t, steps, 1, e.Steps)
	require.Equal(t, "model", steps[0].Node)
	return steps[0]
}

func TestEveryEventReportsTheStep(t *testing.T) {
	const code = `
def handler(ctx, data):
    if text(data) == "exit":
        ctx.early_exit()
    if text(data) == "error":
        raise ValueError("bad")
    if text(data) == "nothing":
        return None
    if text(data) == "timeout":
        time.sleep(60)
    return StringValue(value="x")
`
	patient, impatient := start(t, code, nil), start(t, code, map[string]string{"KRT_TIMEOUT": "1s"})
	for _, c := range []struct {
		n     *node
		text  string
		want  event.Outcome
		first bool // of its node
	}{
		{patient, "message", event.OutcomeOK, true}, {patient, "exit", event.OutcomeExit, false},
		{patient, "error", event.OutcomeError, false}, {patient, "nothing", event.OutcomeError, false},
		{impatient, "timeout", event.OutcomeError, true},
	} {
		in := request(c.text)
		in.Steps = earlier
		before := time.Now().Truncate(time.Microsecond)
		out := c.n.post(in).event
		if c.want != event.OutcomeOK {
			out = <-c.n.replies
		}
		got := reported(t, out)
		require.Equal(t, c.want, got.Outcome, c.text)
		require.Equal(t, c.first, got.Cold, c.text)
		require.False(t, got.Start.Before(before), c.text)
		require.False(t, got.Start.Add(got.Wait+got.Run).After(time.Now()), c.text)
	}
}

// The early reply and the event that follows have the span of the one run.
func TestAnEarlyReplyReportsTheStepSoFar(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    ctx.early_reply(StringValue(value="soon"))
    return StringValue(value="done")
`, nil)
	in := request("x")
	in.Steps = earlier
	last, early := reported(t, n.post(in).event), reported(t, <-n.replies)
	require.Equal(t, event.OutcomeReply, early.Outcome)
	require.Equal(t, event.OutcomeOK, last.Outcome)
	require.LessOrEqual(t, early.Run, last.Run)
	early.Outcome, early.Run = last.Outcome, last.Run
	require.Equal(t, last, early)
}

// A handler that has replied need not return a message: the response has no event then.
func TestASilentEndIsReportedToo(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    ctx.early_reply(StringValue(value="soon"))
    ctx.early_exit()
`, nil)
	in := request("x")
	in.Steps = earlier
	a := n.post(in)
	require.Nil(t, a.event)
	last, early := reported(t, &event.Event{Steps: event.ReadSteps(a.header)}), reported(t, <-n.replies)
	require.Equal(t, []event.Outcome{event.OutcomeReply, event.OutcomeOK}, []event.Outcome{early.Outcome, last.Outcome})
	require.Equal(t, early.SpanID, last.SpanID)
}

// A call waits while the worker is busy: its handler's time begins when that is free.
func TestTheWaitForAWorkerIsReported(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    if os.path.exists(text(data)):
        tell("running")
        open(text(data)).close() # a named pipe: waits for the writer
    return StringValue(value="x")
`, nil)
	send := func(text string) <-chan answer {
		in := request(text)
		in.Steps = earlier
		response := make(chan answer, 1)
		go func() {
			a, err := n.postContext(t.Context(), in)
			if err != nil {
				t.Error(err)
			}
			response <- a
		}()
		return response
	}
	gate := filepath.Join(t.TempDir(), "gate")
	require.NoError(t, syscall.Mkfifo(gate, 0o600))
	first := send(gate)
	<-n.told
	second := send("second")
	late := request("late")
	late.Deadline = time.Now().Add(50 * time.Millisecond) // by then the second has very likely arrived
	require.Nil(t, n.post(late).event)
	opened := time.Now()
	writer, err := os.OpenFile(gate, os.O_WRONLY, 0) // the first handler goes on with it
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	one, two := reported(t, (<-first).event), reported(t, (<-second).event)
	require.NotZero(t, one.Run)
	const rounding = 3 * time.Microsecond
	require.False(t, two.Start.Add(two.Wait+rounding).Before(opened), "%+v runs while the worker is busy until %s", two, opened)
}

// Of an inspected request, what comes to the reply port anyway is not copied.
func TestResponsesAreCopiedForInspection(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    if text(data) == "exit":
        ctx.early_exit()
    if text(data) == "error":
        raise ValueError("bad")
    return StringValue(value="x")
`, nil)
	inspected := func(text string) *event.Event {
		in := request(text)
		in.Steps, in.Inspect = earlier, 2
		return n.post(in).event
	}
	for _, text := range []string{"exit", "error", "message"} {
		out := inspected(text)
		if text != "message" {
			require.Equal(t, 2, (<-n.replies).Inspect)
			continue
		}
		copied := n.copyOf(out)
		for range 3 { // it is dropped if it takes too long to post
			if copied == nil {
				out = inspected(text)
				copied = n.copyOf(out)
			}
		}
		require.NotNil(t, copied)
		require.Equal(t, 2, out.Inspect)
		require.Equal(t, reported(t, out), reported(t, copied))
		require.Equal(t, out.Data[:2], copied.Data)
	}
	require.NoError(t, n.end())
	require.Empty(t, n.copies)
}

// copyOf returns the copy of what the node has sent on; nil if none comes.
func (n *node) copyOf(out *event.Event) *event.Event {
	n.t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case copied := <-n.copies:
			if reported(n.t, copied).SpanID == reported(n.t, out).SpanID {
				return copied
			}
		case <-late:
			return nil
		}
	}
}

// A line of the handler's names the span that the event reports.
func TestLogLinesNameTheSpan(t *testing.T) {
	n := start(t, `
def handler(ctx, data):
    ctx.logger.info("> %s", ctx.traceparent)
    return StringValue(value="x")
`, map[string]string{"KRT_LOG": "text"})
	in := request("x")
	out := n.post(in).event
	step, ok := out.Steps.Last()
	require.True(t, ok)
	require.Equal(t, in.Trace, out.Trace)
	require.Equal(t, in.Trace.SpanID(), hex.EncodeToString(step.Parent[:]))
	trace := in.Trace.Child(step.SpanID)
	untraced := request("x")
	untraced.Trace = event.Trace{}
	out = n.post(untraced).event
	require.NotEmpty(t, out.Steps)
	require.NoError(t, n.end())
	require.Contains(t, n.log.String(), fmt.Sprintf(`msg="> %s" node=model workflow=wf correlationid=c1 trace_id=%s span_id=%s`+"\n",
		trace.Parent, trace.ID(), trace.SpanID()))
	require.Contains(t, n.log.String(), `msg="> " node=model workflow=wf correlationid=c1`+"\n")
}
