package runner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

func echo(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	return data.UnmarshalNew()
}

func TestNextEvent(t *testing.T) {
	r := start(t, nil, nil, func(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		return value("seen " + data.GetTypeUrl()), nil
	})
	in := message("hello")
	a := r.post(t, in)
	equal(t, "status", a.status, http.StatusOK)
	equal(t, "text", stringOf(t, a.event), "seen type.googleapis.com/google.protobuf.StringValue")
	equal(t, "source", a.event.Source, "/krt/ns/v1/model")
	equal(t, "type", a.event.Type, event.TypeMessage)
	equal(t, "correlation", a.event.CorrelationID, "c1")
	equal(t, "causation", a.event.CausationID, in.ID)
	equal(t, "workflow", a.event.Workflow, "flow")
	equal(t, "reply token", a.event.ReplyToken, "token")
	equal(t, "deadline", a.event.Deadline.Equal(in.Deadline), true)
	equal(t, "trace", a.event.Trace, in.Trace)
	equal(t, "content length", a.header.Get("Content-Length"), fmt.Sprint(len(a.event.Data)))
}

func TestUnknownHeadersAreNotForwarded(t *testing.T) {
	r := start(t, nil, nil, echo)
	req, err := http.NewRequest(http.MethodPost, r.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	e := message("")
	e.Data = nil
	e.WriteHeader(req.Header)
	req.Header.Set("X-Secret", "s")
	req.Header.Set("Ce-Unknown", "u")
	a, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "status", a.status, http.StatusOK)
	equal(t, "X-Secret", a.header.Get("X-Secret"), "")
	equal(t, "Ce-Unknown", a.header.Get("Ce-Unknown"), "")
}

func TestEarlyReply(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if err := ctx.EarlyReply(value("at once")); err != nil {
			return nil, err
		}
		return value("later " + fmt.Sprint(ctx.Reply(value("again")))), nil
	})
	a := r.post(t, message(""))
	equal(t, "status", a.status, http.StatusOK)
	equal(t, "text", stringOf(t, a.event), "later cannot reply: the request already has a response")
	reply := r.reply(t)
	equal(t, "reply", stringOf(t, reply), "at once")
	equal(t, "type", reply.Type, event.TypeReply)
	equal(t, "token", reply.ReplyToken, "token")
	equal(t, "posts", len(r.replies), 0)
}

func TestEarlyExit(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		ctx.SetEarlyExit()
		return value("enough"), nil
	})
	a := r.post(t, message(""))
	equal(t, "status", a.status, http.StatusAccepted)
	equal(t, "event", a.event, nil)
	equal(t, "content length", a.header.Get("Content-Length"), "0")
	reply := r.reply(t)
	equal(t, "reply", stringOf(t, reply), "enough")
	equal(t, "type", reply.Type, event.TypeReply)
}

func TestEarlyReplyThenExitWithoutMessage(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		ctx.SetEarlyExit()
		return nil, ctx.EarlyReply(value("all there is"))
	})
	equal(t, "status", r.post(t, message("")).status, http.StatusAccepted)
	equal(t, "reply", stringOf(t, r.reply(t)), "all there is")
	equal(t, "posts", len(r.replies), 0)
}

func TestNoMessageAfterAnEarlyReply(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		return nil, ctx.EarlyReply(value("all there is"))
	})
	equal(t, "status", r.post(t, message("")).status, http.StatusAccepted)
	equal(t, "reply", stringOf(t, r.reply(t)), "all there is")
	equal(t, "posts", len(r.replies), 0)
	equal(t, "errors", strings.Contains(r.log.String(), "level=ERROR"), false)
}

func TestFailuresAreTheCallersAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		handler runner.Handler
		code    code.Code
		reason  string
		text    string
		log     string
	}{
		"error": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
				return nil, errors.New("no such room")
			},
			code.Code_INTERNAL, event.ReasonHandlerError, "error in 'model': no such room", "no such room",
		},
		"error that is no UTF-8": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, errors.New("a\xffb") },
			code.Code_INTERNAL, event.ReasonHandlerError, "error in 'model': a\uFFFDb", "handler failed",
		},
		"error of many words": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
				return nil, errors.New(strings.Repeat("x", 1<<20))
			},
			code.Code_INTERNAL, event.ReasonHandlerError, "error in 'model': " + strings.Repeat("x", 4<<10) + "…", "handler failed",
		},
		"panic": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { panic("oops") },
			code.Code_INTERNAL, event.ReasonHandlerPanic, "error in 'model': panic: oops", "node_test.go",
		},
		"runtime error": {
			func(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
				return value(string(data.GetValue()[1<<20:])), nil
			},
			code.Code_INTERNAL, event.ReasonHandlerPanic, "error in 'model': panic: runtime error: slice bounds out of range", "node_test.go",
		},
		"no message": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, nil },
			code.Code_INTERNAL, event.ReasonWrongOutput, "error in 'model': the handler returned no message", "handler failed",
		},
		"nil message": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
				return (*wrapperspb.StringValue)(nil), nil
			},
			code.Code_INTERNAL, event.ReasonWrongOutput, "error in 'model': the handler returned no message", "handler failed",
		},
		"exit without message": {
			func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
				ctx.SetEarlyExit()
				return nil, nil
			},
			code.Code_INTERNAL, event.ReasonWrongOutput, "error in 'model': the handler returned no message", "handler failed",
		},
		"message that cannot be encoded": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return value("a\xff"), nil },
			code.Code_INTERNAL, event.ReasonWrongOutput, "error in 'model': cannot encode the google.protobuf.StringValue", "handler failed",
		},
		"message too large": {
			func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
				return value(strings.Repeat("x", 1000)), nil
			},
			code.Code_RESOURCE_EXHAUSTED, event.ReasonTooLarge,
			"error in 'model': the google.protobuf.StringValue has 1003 bytes, the limit is 1000 (max-message-bytes)", "handler failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{"KRT_MAX_MESSAGE_BYTES": "1000"}, nil, c.handler)
			equal(t, "status", r.post(t, message("")).status, http.StatusAccepted)
			reply := r.reply(t)
			equal(t, "type", reply.Type, event.TypeError)
			equal(t, "message", reply.Message, "google.rpc.Status")
			s, err := reply.Status()
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "code", code.Code(s.GetCode()), c.code)
			contains(t, "text", s.GetMessage(), c.text)
			info := &errdetails.ErrorInfo{}
			if err := s.GetDetails()[0].UnmarshalTo(info); err != nil {
				t.Fatal(err)
			}
			equal(t, "reason", info.GetReason(), c.reason)
			equal(t, "node", info.GetMetadata()["node"], "model")
			equal(t, "workflow", info.GetMetadata()["workflow"], "flow")
			equal(t, "version", info.GetMetadata()["version"], "v1")
			contains(t, "log", r.log.String(), c.log)

			// The process lives, and another call is its own.
			equal(t, "second status", r.post(t, message("")).status, http.StatusAccepted)
		})
	}
}

func TestWithoutReplyPort(t *testing.T) {
	handler := func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		text := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(text); err != nil {
			return nil, err
		}
		switch text.GetValue() {
		case "reply":
			return value("went on"), ctx.EarlyReply(value("dropped"))
		case "exit":
			ctx.SetEarlyExit()
			return value("dropped"), nil
		}
		return nil, errors.New("wrong")
	}
	for name, c := range map[string]struct {
		url, token, text string
		status           int
		log              string
	}{
		"error without address":  {"", "token", "fail", http.StatusInternalServerError, "handler failed"},
		"error without token":    {"http://127.0.0.1:1", "", "fail", http.StatusInternalServerError, "handler failed"},
		"reply without address":  {"", "token", "reply", http.StatusOK, "reply dropped"},
		"exit without token":     {"http://127.0.0.1:1", "", "exit", http.StatusAccepted, "reply dropped"},
		"exit without address":   {"", "token", "exit", http.StatusAccepted, "reply dropped"},
		"reply without anything": {"", "", "reply", http.StatusOK, "reply dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, map[string]string{"KRT_REPLY_URL": c.url}, nil, handler)
			in := message(c.text)
			in.ReplyToken = c.token
			a := r.post(t, in)
			equal(t, "status", a.status, c.status)
			if c.status == http.StatusInternalServerError {
				equal(t, "text", a.text, "error in 'model': wrong")
			}
			contains(t, "log", r.log.String(), c.log)
		})
	}
}

func TestExpiredEventRunsNothing(t *testing.T) {
	r := start(t, nil, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		panic("must not run")
	})
	in := message("")
	in.Deadline = time.Now().Add(-time.Second)
	equal(t, "status", r.post(t, in).status, http.StatusAccepted)
	equal(t, "posts", len(r.replies), 0)
}

func TestDeadlineEndsTheContext(t *testing.T) {
	ended := make(chan error, 1)
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		<-ctx.Context().Done()
		ended <- ctx.Context().Err()
		return nil, ctx.Context().Err()
	})
	// An event may expire before the handler runs; some try is early enough.
	for patience := 10 * time.Millisecond; ; patience *= 2 {
		in := message("")
		in.Deadline = time.Now().Add(patience)
		equal(t, "status", r.post(t, in).status, http.StatusAccepted)
		if len(ended) > 0 {
			break
		}
	}
	equal(t, "context", <-ended, context.DeadlineExceeded)
	equal(t, "posts", len(r.replies), 0)
	contains(t, "log", r.log.String(), "after its deadline")
}

func TestClientGoneCancelsTheHandler(t *testing.T) {
	running, cancelled := make(chan struct{}), make(chan error, 1)
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		close(running)
		<-ctx.Context().Done()
		cancelled <- ctx.Context().Err()
		return nil, fmt.Errorf("gave up: %w", ctx.Context().Err())
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-running
		cancel()
	}()
	_, err := post(ctx, r.url, message(""))
	equal(t, "client", errors.Is(err, context.Canceled), true)
	equal(t, "handler", errors.Is(<-cancelled, context.Canceled), true)
	equal(t, "stop", r.stop(), nil)
	equal(t, "posts", len(r.replies), 0)
	contains(t, "log", r.log.String(), "call cancelled")
}

func TestCallsRunConcurrentlyWithContextsOfTheirOwn(t *testing.T) {
	const calls = 50
	var together sync.WaitGroup
	together.Add(calls)
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		together.Done()
		together.Wait() // returns only if all calls are under way at once
		ctx.Set(ctx.RequestID(), ctx.Workflow())
		if ctx.RequestID() == "c7" {
			ctx.SetEarlyExit()
		}
		return value(ctx.RequestID()), nil
	})
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			in := message("")
			in.CorrelationID = fmt.Sprintf("c%d", i)
			a, err := post(t.Context(), r.url, in)
			switch {
			case err != nil:
				t.Error(err)
			case i == 7:
				equal(t, "status", a.status, http.StatusAccepted)
			default:
				equal(t, "answer", stringOf(t, a.event), in.CorrelationID)
			}
		})
	}
	wg.Wait()
}

func TestAnswersPassThrough(t *testing.T) {
	r := start(t, nil, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) {
		panic("must not run")
	})
	for _, typ := range []string{event.TypeError, event.TypeReply} {
		in := message("as it was")
		in.Type = typ
		a := r.post(t, in)
		equal(t, "status", a.status, http.StatusOK)
		equal(t, "type", a.event.Type, typ)
		equal(t, "source", a.event.Source, in.Source)
		equal(t, "text", stringOf(t, a.event), "as it was")
	}
}
