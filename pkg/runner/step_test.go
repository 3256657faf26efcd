package runner_test

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// earlier is what a node before has reported.
const earlier = "etl;1714979289123456;12;3400;00f067aa0ba902b7;ok;c"

// reported returns the entry that the node has appended to what was there before.
func reported(t *testing.T, e *event.Event) event.Step {
	t.Helper()
	if e == nil {
		t.Fatal("there is no event")
	}
	rest, ok := strings.CutPrefix(string(e.Steps), earlier+",")
	steps := event.Steps(rest).AppendTo(nil)
	if !ok || len(steps) != 1 {
		t.Fatalf("krtsteps: %q", e.Steps)
	}
	equal(t, "node", steps[0].Node, "model")
	return steps[0]
}

// TestEveryEventReportsTheStep: whatever way a call ends, the event says so.
func TestEveryEventReportsTheStep(t *testing.T) {
	for name, c := range map[string]struct {
		handler runner.Handler
		want    event.Outcome
		posted  bool
	}{
		"message": {func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return value(""), nil }, event.OutcomeOK, false},
		"exit": {func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			ctx.SetEarlyExit()
			return value("exit"), nil
		}, event.OutcomeExit, true},
		"error":   {func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, errors.New("bad") }, event.OutcomeError, true},
		"panic":   {func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { panic("bad") }, event.OutcomeError, true},
		"nothing": {func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, nil }, event.OutcomeError, true},
		"timeout": {func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			<-ctx.Context().Done()
			return nil, ctx.Context().Err()
		}, event.OutcomeError, true},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{}
			if name == "timeout" { // the others may take longer
				env["KRT_TIMEOUT"] = "1s"
			}
			r := start(t, env, nil, c.handler)
			for _, cold := range []bool{true, false} {
				in := message("")
				in.Steps = earlier
				before := time.Now().Truncate(time.Microsecond)
				out := r.post(t, in).event
				if c.posted {
					out = r.reply(t)
				}
				got := reported(t, out)
				equal(t, "outcome", got.Outcome, c.want)
				equal(t, "cold", got.Cold, cold)
				if end := got.Start.Add(got.Wait + got.Run); got.Start.Before(before) || end.After(time.Now()) {
					t.Errorf("from %v to %v is not within the request, since %v", got.Start, end, before)
				}
			}
		})
	}
}

// TestAnEarlyReplyReportsTheStepSoFar: it and the event that follows have the span of
// the one run of the handler.
func TestAnEarlyReplyReportsTheStepSoFar(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return value("done"), ctx.EarlyReply(value("soon"))
	})
	in := message("")
	in.Steps = earlier
	last := reported(t, r.post(t, in).event)
	early := reported(t, r.reply(t))
	equal(t, "outcome of the reply", early.Outcome, event.OutcomeReply)
	equal(t, "outcome", last.Outcome, event.OutcomeOK)
	equal(t, "span", early.SpanID, last.SpanID)
	equal(t, "start", early.Start, last.Start)
	equal(t, "wait", early.Wait, last.Wait)
	equal(t, "cold", early.Cold, last.Cold)
	if early.Run > last.Run {
		t.Errorf("%s until the reply, %s until the end", early.Run, last.Run)
	}
}

// TestASilentEndIsReportedToo: a handler that has replied need not return a message.
func TestASilentEndIsReportedToo(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if strings.Contains(string(data.GetValue()), "reply") {
			return nil, ctx.EarlyReply(value("soon"))
		}
		ctx.SetEarlyExit()
		return value("exit"), nil
	})
	for text, replied := range map[string]bool{"reply": false, "behind a reply": true} {
		in := message(text)
		in.Steps, in.Replied = earlier, replied
		a := r.post(t, in)
		equal(t, "status", a.status, http.StatusAccepted)
		equal(t, "an event", a.event == nil, true)
		early := reported(t, r.reply(t))
		last := reported(t, &event.Event{Steps: event.ReadSteps(a.header)})
		equal(t, "outcome of the reply", early.Outcome, event.OutcomeReply)
		equal(t, "outcome", last.Outcome, event.OutcomeOK)
		equal(t, "span", early.SpanID, last.SpanID)
	}
	a := r.post(t, message("exit"))
	equal(t, "what is posted is reported there", event.ReadSteps(a.header), "")
}

// TestTheWaitIsNotTheHandlersTime: the second call runs when the first has ended.
func TestTheWaitIsNotTheHandlersTime(t *testing.T) {
	held, free := make(chan struct{}), make(chan struct{})
	r := startInTurn(t, nil, func(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if string(data.GetValue()) != "" {
			close(held)
			<-free
		}
		return value("done"), nil
	})
	send := func(text string) <-chan answer {
		in := message(text)
		in.Steps = earlier
		response := make(chan answer, 1)
		go func() {
			a, err := post(t.Context(), r.url, in)
			equal(t, "error", err, nil)
			response <- a
		}()
		return response
	}
	answers := []<-chan answer{send("first")}
	<-held
	answers = append(answers, send(""))
	r.waitInVain(t) // by then the second has very likely arrived
	close(free)
	first, second := reported(t, (<-answers[0]).event), reported(t, (<-answers[1]).event)
	equal(t, "first", first.Cold, true)
	const rounding = 3 * time.Microsecond
	if turn := second.Start.Add(second.Wait); turn.Add(rounding).Before(first.Start.Add(first.Wait + first.Run)) {
		t.Errorf("the turn of the second came at %v, the first ended at %v", turn, first.Start.Add(first.Wait+first.Run))
	}
	equal(t, "cold", second.Cold, false)
}

// TestTheSpanOfAStep: the handler's own spans are its children, and log lines name it.
func TestTheSpanOfAStep(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		ctx.Logger.Info("hello")
		return value(ctx.TraceParent()), nil
	})
	a := r.postTraced(t, startParent, hopParent)
	steps := a.event.Steps.AppendTo(nil)
	equal(t, "steps", len(steps), 1)
	got := event.NewTrace(stringOf(t, a.event), "")
	equal(t, "traceparent", got, event.NewTrace(hopParent, "").Child(steps[0].SpanID))
	contains(t, "log", r.log.String(), "msg=hello node=model workflow=flow correlationid=c1 trace_id="+got.ID()+" span_id="+got.SpanID()+"\n")

	equal(t, "called by", hex.EncodeToString(steps[0].Parent[:]), event.NewTrace(hopParent, "").SpanID())

	a = r.postTraced(t, "", "")
	equal(t, "traceparent", stringOf(t, a.event), "")
	equal(t, "attribute", a.event.Trace, event.Trace{})
	contains(t, "log", r.log.String(), "msg=hello node=model workflow=flow correlationid=c1\n")
	if again := a.event.Steps.AppendTo(nil); len(again) != 1 || again[0].SpanID == steps[0].SpanID || again[0].Parent != [8]byte{} {
		t.Errorf("reported %+v after %+v", again, steps)
	}
}
