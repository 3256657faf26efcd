package runner_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// TestSendPostsFromAnEarlierNode: its part is over before the next node gets the event.
func TestSendPostsFromAnEarlierNode(t *testing.T) {
	gate, ended := make(chan struct{}), make(chan struct{})
	env, _ := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
		f := newFrames(t, req.Header, req.Body)
		equal(t, "token", f.head.ReplyToken, "token")
		equal(t, "id", f.head.ID, "1")
		equal(t, "source", f.head.Source, "/krt/ns/v1/model")
		equal(t, "message", f.head.Message, "google.protobuf.StringValue")
		equal(t, "trace", req.Header.Get("Traceparent")[:35], f.head.Trace.Parent[:35])
		equal(t, "first", f.message(), "one")
		close(gate)
		equal(t, "second", f.message(), "two")
		equal(t, "end", f.end(), event.End{Next: true})
		close(ended)
		w.WriteHeader(http.StatusAccepted)
	})
	r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		err := ctx.Send(value("one"))
		<-gate
		return value("on"), errors.Join(err, ctx.Send(value("two")))
	})
	a := r.post(t, streamed("output"))
	<-ended
	equal(t, "status", a.status, http.StatusOK)
	equal(t, "text", stringOf(t, a.event), "on")
	equal(t, "krtstream", a.event.Stream.Last, "output")
}

// TestSendPostsFromTheLastNode: a sender that does not accept a stream, as a Sequence, gets
// none.
func TestSendPostsFromTheLastNode(t *testing.T) {
	for name, c := range map[string]struct {
		last    string
		outcome string
		handler runner.Handler
	}{
		"last node": {"model", "ok", func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			return value("two"), ctx.Send(value("one"))
		}},
		"early exit": {"output", "exit", func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			ctx.SetEarlyExit()
			return value("two"), ctx.Send(value("one"))
		}},
		"early exit with nothing": {"output", "exit", func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			ctx.SetEarlyExit()
			return nil, errors.Join(ctx.Send(value("one")), ctx.Send(value("two")))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			env, replies := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
				f := newFrames(t, req.Header, req.Body)
				equal(t, "first", f.message(), "one")
				equal(t, "second", f.message(), "two")
				end := f.end()
				equal(t, "outcome", outcomeOf(t, end.Steps), c.outcome)
				equal(t, "end", end, event.End{Steps: end.Steps})
				w.WriteHeader(http.StatusAccepted)
			})
			r := start(t, env, nil, c.handler)
			a := r.post(t, streamed(c.last))
			equal(t, "status", a.status, http.StatusAccepted)
			equal(t, "replies", len(replies), 0)
			if a.event != nil {
				t.Errorf("got %v", a.event)
			}
		})
	}
}

// TestTakenCancelsTheHandler: where the reply port refuses the stream, or no longer wants
// it, the call ends, and its event is not sent again.
func TestTakenCancelsTheHandler(t *testing.T) {
	for name, c := range map[string]struct {
		read   int // messages
		status int
		text   string
	}{
		"taken":             {0, http.StatusConflict, "another delivery of the event sends the stream"},
		"gone":              {0, http.StatusGone, "no client waits for the stream"},
		"gone in the midst": {3, http.StatusGone, "no client waits for the stream"},
	} {
		t.Run(name, func(t *testing.T) {
			env, replies := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
				f := newFrames(t, req.Header, req.Body)
				for range c.read {
					f.message()
				}
				w.WriteHeader(c.status)
			})
			var sent error
			r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
				for range max(c.read, 1) {
					sent = ctx.Send(value("x"))
				}
				<-ctx.Context().Done()
				sent = errors.Join(sent, ctx.Send(value("x")))
				return value("on"), nil // whatever it returns
			})
			equal(t, "status", r.post(t, streamed("output")).status, http.StatusAccepted)
			if !errors.Is(sent, runner.ErrNoClient) || !errors.Is(sent, context.Canceled) {
				t.Errorf("got %v", sent)
			}
			contains(t, "error", sent.Error(), "cannot send: "+c.text)
			contains(t, "log", r.log.String(), c.text)
			equal(t, "replies", len(replies), 0)
		})
	}
}

// TestStreamIsPostedAgainUntilItHasBegun: what the reply port refuses for now has not been
// sent.
func TestStreamIsPostedAgainUntilItHasBegun(t *testing.T) {
	var refused, received atomic.Int64
	env, _ := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
		if refused.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		f := newFrames(t, req.Header, req.Body)
		for range 3 {
			f.message()
			received.Add(1)
		}
		equal(t, "end", f.end().Next, true)
		w.WriteHeader(http.StatusAccepted)
	})
	r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return value("on"), errors.Join(ctx.Send(value("1")), ctx.Send(value("2")), ctx.Send(value("3")))
	})
	equal(t, "status", r.post(t, streamed("output")).status, http.StatusOK)
	equal(t, "messages", received.Load(), 3)
}

// TestStreamThatBreaksIsNotPostedAgain: the first messages may have reached the client.
func TestStreamThatBreaksIsNotPostedAgain(t *testing.T) {
	var posts atomic.Int64
	env, replies := streamPort(t, func(_ http.ResponseWriter, req *http.Request) {
		posts.Add(1)
		newFrames(t, req.Header, req.Body).message()
		panic(http.ErrAbortHandler)
	})
	var sent error
	r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		for sent == nil {
			sent = ctx.Send(value("x"))
		}
		return nil, sent
	})
	equal(t, "status", r.post(t, streamed("output")).status, http.StatusAccepted)
	equal(t, "posts", posts.Load(), 1)
	equal(t, "replies", len(replies), 0)
	contains(t, "error", sent.Error(), "cannot send: cannot post to http://127.0.0.1:")
}

// TestBrokenStreamCancelsTheHandler: also one that has nothing to send.
func TestBrokenStreamCancelsTheHandler(t *testing.T) {
	env, _ := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
		newFrames(t, req.Header, req.Body).message()
		conn, _, err := http.NewResponseController(w).Hijack()
		equal(t, "hijacked", err, nil)
		_ = conn.Close() // as that of a process that is killed
	})
	r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		err := ctx.Send(value("x"))
		<-ctx.Context().Done()
		return nil, err
	})
	equal(t, "status", r.post(t, streamed("output")).status, http.StatusAccepted)
}

// TestDeadlineCutsAPost: a handler that has nothing to send ends, too.
func TestDeadlineCutsAPost(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		var arrived atomic.Bool // the first message
		env, _ := streamPort(t, func(_ http.ResponseWriter, req *http.Request) {
			f := newFrames(t, req.Header, req.Body)
			if _, _, err := f.read(); err == nil {
				arrived.Store(true)
				f.cut()
			}
		})
		r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			err := ctx.Send(value("x"))
			<-ctx.Context().Done()
			return nil, errors.Join(err, ctx.Context().Err())
		})
		in := streamed("output")
		in.Deadline = time.Now().Add(patience)
		equal(t, "status", r.post(t, in).status, http.StatusAccepted)
		return arrived.Load()
	})
}

func TestErrorAfterMessages(t *testing.T) {
	handler := func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.Send(value("one")); err != nil {
			return nil, err
		}
		panic("no model")
	}
	check := func(t *testing.T, f *frames) {
		equal(t, "first", f.message(), "one")
		end := f.end()
		equal(t, "code", end.Failure.GetCode(), int32(code.Code_INTERNAL))
		equal(t, "text", end.Failure.GetMessage(), "error in 'model': panic: no model")
		equal(t, "outcome", outcomeOf(t, end.Steps), "error")
		equal(t, "next", end.Next, false)
	}
	t.Run("response", func(t *testing.T) {
		r := start(t, nil, nil, handler)
		res := r.direct(t, streamed("model"))
		check(t, newFrames(t, res.Header, res.Body))
		equal(t, "replies", len(r.replies), 0)
		contains(t, "log", r.log.String(), "handler failed")
	})
	t.Run("post", func(t *testing.T) {
		env, replies := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
			check(t, newFrames(t, req.Header, req.Body))
			w.WriteHeader(http.StatusAccepted)
		})
		r := start(t, env, nil, handler)
		equal(t, "status", r.post(t, streamed("output")).status, http.StatusAccepted)
		equal(t, "replies", len(replies), 0)
	})
}

func TestNodesTimeoutEndsTheStream(t *testing.T) {
	inTime(t, time.Second, func(patience time.Duration) bool {
		env := map[string]string{"KRT_TIMEOUT": patience.String()}
		r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			err := ctx.Send(value("one"))
			<-ctx.Context().Done()
			return nil, errors.Join(err, ctx.Context().Err())
		})
		f := r.begun(t, streamed("model"))
		if f == nil {
			return false
		}
		failure := f.end().Failure
		equal(t, "code", failure.GetCode(), int32(code.Code_DEADLINE_EXCEEDED))
		equal(t, "text", failure.GetMessage(), "error in 'model': no response within "+patience.String()+", the node's timeout")
		return true
	})
}

// TestDeadlineCutsTheStream: the client has been told by the entrypoint.
func TestDeadlineCutsTheStream(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		err := ctx.Send(value("one"))
		<-ctx.Context().Done()
		return value("late"), err
	})
	inTime(t, time.Second, func(patience time.Duration) bool {
		in := streamed("model")
		in.Deadline = time.Now().Add(patience)
		f := r.begun(t, in)
		if f == nil {
			return false
		}
		f.cut()
		return true
	})
}

func TestEarlyReplyAfterSend(t *testing.T) {
	var late error
	handler := func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		err := errors.Join(ctx.Send(value("one")), ctx.EarlyReply(value("two")))
		late = errors.Join(ctx.Send(value("dropped")), past(ctx.Context(), time.Now().Add(50*time.Millisecond)))
		return value("on"), err
	}
	t.Run("response", func(t *testing.T) {
		r := start(t, nil, nil, handler)
		res := r.direct(t, streamed("model"))
		f := newFrames(t, res.Header, res.Body)
		equal(t, "first", f.message(), "one")
		equal(t, "second", f.message(), "two")
		end := f.end()
		equal(t, "outcome", outcomeOf(t, end.Steps), "reply")
		equal(t, "replied", end.Replied, true)
		end = f.end()
		equal(t, "outcome", outcomeOf(t, end.Steps), "ok")
		equal(t, "replied", end.Replied, false)
		f.cut()
		equal(t, "late", late, nil)
		equal(t, "replies", len(r.replies), 0)
	})
	t.Run("post", func(t *testing.T) {
		env, replies := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
			f := newFrames(t, req.Header, req.Body)
			equal(t, "first", f.message(), "one")
			equal(t, "end", f.end(), event.End{Next: true})
			w.WriteHeader(http.StatusAccepted)
		})
		r := start(t, env, nil, handler)
		a := r.post(t, streamed("output"))
		equal(t, "status", a.status, http.StatusOK)
		equal(t, "text", stringOf(t, a.event), "on")
		equal(t, "krtreplied", a.event.Replied, true)
		equal(t, "reply", stringOf(t, <-replies), "two")
		equal(t, "late", late, nil)
	})
}

// TestEarlyReplyWithoutSend: the reply is posted, as in a unary rpc.
func TestEarlyReplyWithoutSend(t *testing.T) {
	var late error
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		err := ctx.EarlyReply(value("one"))
		late = ctx.Send(value("dropped"))
		return nil, err
	})
	equal(t, "status", r.direct(t, streamed("model")).StatusCode, http.StatusAccepted)
	equal(t, "reply", stringOf(t, r.reply(t)), "one")
	equal(t, "late", late, nil)
}
