package runner_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// past waits until the instant has passed, or ctx is done.
func past(ctx context.Context, at time.Time) error {
	select {
	case <-time.After(time.Until(at) + time.Millisecond):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestEarlyReplyMovesTheDeadline: the work behind an answer has no caller's
// deadline, and what the node sends on says so.
func TestEarlyReplyMovesTheDeadline(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		var in *event.Event
		var early bool // the reply has come before the deadline
		var reached error
		env := map[string]string{"KRT_BACKGROUND_TIMEOUT": "10m"}
		r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			c := ctx.Context() // from before the reply
			derived, cancel := context.WithCancel(c)
			defer cancel()
			if err := ctx.EarlyReply(value("accepted")); err != nil || time.Now().After(in.Deadline) {
				return nil, err
			}
			early = true
			if until, _ := c.Deadline(); until.Before(in.Deadline.Add(5 * time.Minute)) {
				t.Errorf("the context's deadline is %v, the client's was %v", until, in.Deadline)
			}
			reached = past(derived, in.Deadline)
			return value("done"), reached
		})
		in = soon(patience)
		a := r.post(t, in)
		if !early {
			return false
		}
		equal(t, "context", reached, nil)
		equal(t, "status", a.status, http.StatusOK)
		equal(t, "text", stringOf(t, a.event), "done")
		equal(t, "krtreplied", a.event.Replied, true)
		if a.event.Deadline.Before(in.Deadline.Add(5*time.Minute)) || a.event.Deadline.After(time.Now().Add(10*time.Minute)) {
			t.Errorf("the next event's deadline is %v, the client's was %v", a.event.Deadline, in.Deadline)
		}
		reply := r.reply(t)
		equal(t, "krtreplied of the reply", reply.Replied, false)
		equal(t, "deadline of the reply", reply.Deadline.Equal(in.Deadline), true)
		return true
	})
}

// TestFailureAfterEarlyReply: nobody is told, the log has it.
func TestFailureAfterEarlyReply(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		var in *event.Event
		var early bool // the reply has come before the deadline
		r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			if err := ctx.EarlyReply(value("accepted")); err != nil || time.Now().After(in.Deadline) {
				return nil, err
			}
			early = true
			return nil, errors.Join(errors.New("no model"), past(ctx.Context(), in.Deadline))
		})
		in = soon(patience)
		status := r.post(t, in).status
		if !early {
			return false
		}
		equal(t, "status", status, http.StatusAccepted)
		r.reply(t)
		failure := r.reply(t)
		equal(t, "type", failure.Type, event.TypeError)
		equal(t, "krtreplied", failure.Replied, true)
		contains(t, "log", r.log.String(), "handler failed")
		return true
	})
}

func TestBackgroundTimeoutEndsTheCall(t *testing.T) {
	env := map[string]string{"KRT_BACKGROUND_TIMEOUT": "50ms"}
	r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.EarlyReply(value("accepted")); err != nil {
			return nil, err
		}
		<-ctx.Context().Done()
		return value("late"), nil
	})
	equal(t, "status", r.post(t, message("hi")).status, http.StatusAccepted)
	contains(t, "log", r.log.String(), "call ended after its deadline")
}

func TestWithoutReplyTheCallersDeadlineHolds(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		var begun bool
		var ended error
		r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			begun = true
			<-ctx.Context().Done()
			ended = ctx.Context().Err()
			return nil, ended
		})
		equal(t, "status", r.post(t, soon(patience)).status, http.StatusAccepted)
		if !begun {
			return false
		}
		equal(t, "context", ended, context.DeadlineExceeded)
		return true
	})
}

// TestRepliedTravels: a node after the answer keeps to the deadline it was given,
// even if it replies itself.
func TestRepliedTravels(t *testing.T) {
	in := message("hi")
	in.Replied = true
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return value("on"), ctx.EarlyReply(value("again"))
	})
	a := r.post(t, in)
	equal(t, "krtreplied", a.event.Replied, true)
	equal(t, "deadline", a.event.Deadline.Equal(in.Deadline), true)
}

// TestReplyThatIsDropped: where nobody can be answered, nobody has been.
func TestReplyThatIsDropped(t *testing.T) {
	in := message("hi")
	r := start(t, map[string]string{"KRT_REPLY_URL": ""}, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return value("on"), ctx.EarlyReply(value("accepted"))
	})
	a := r.post(t, in)
	equal(t, "krtreplied", a.event.Replied, false)
	equal(t, "deadline", a.event.Deadline.Equal(in.Deadline), true)
}

// TestNodesTimeout: a call that takes longer than the node's own timeout fails by
// name, whether or not the handler looks at its context or has replied.
func TestNodesTimeout(t *testing.T) {
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for name, c := range map[string]struct {
		handler runner.Handler
		replies bool // early
	}{
		"deaf": {func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
			<-release
			return value("late"), nil
		}, false},
		"polite": {func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			<-ctx.Context().Done()
			return nil, ctx.Context().Err()
		}, false},
		"replied": {func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			if err := ctx.EarlyReply(value("accepted")); err != nil {
				return nil, err
			}
			<-ctx.Context().Done()
			return nil, ctx.Context().Err()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, time.Second, func(timeout time.Duration) bool {
				r := start(t, map[string]string{"KRT_TIMEOUT": timeout.String()}, nil, c.handler)
				equal(t, "status", r.post(t, message("hi")).status, http.StatusAccepted)
				if c.replies && r.reply(t).Type != event.TypeReply {
					return false
				}
				s, err := r.reply(t).Status()
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "code", s.GetCode(), int32(code.Code_DEADLINE_EXCEEDED))
				equal(t, "text", s.GetMessage(), "error in 'model': no response within "+timeout.String()+", the node's timeout")
				return true
			})
		})
	}
	t.Run("in time", func(t *testing.T) {
		r := start(t, map[string]string{"KRT_TIMEOUT": "1m"}, nil, echo)
		equal(t, "text", stringOf(t, r.post(t, message("hi")).event), "hi")
	})
}
