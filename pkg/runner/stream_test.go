package runner_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

func TestSendRespondsAtOnce(t *testing.T) {
	gate := make(chan struct{})
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.Send(value("one")); err != nil {
			return nil, err
		}
		<-gate
		return value("two"), ctx.Send(value(""))
	})
	res := r.direct(t, streamed("model"))
	f := newFrames(t, res.Header, res.Body)
	equal(t, "status", res.StatusCode, http.StatusOK)
	equal(t, "type", f.head.Type, event.TypeMessage)
	equal(t, "source", f.head.Source, "/krt/ns/v1/model")
	equal(t, "message", f.head.Message, "google.protobuf.StringValue")
	equal(t, "steps in the header", f.head.Steps, "")
	equal(t, "first", f.message(), "one")
	close(gate)
	equal(t, "second", f.message(), "")
	equal(t, "last", f.message(), "two")
	end := f.end()
	equal(t, "outcome", outcomeOf(t, end.Steps), "ok")
	equal(t, "end", end, event.End{Steps: end.Steps})
	rest, err := io.ReadAll(res.Body)
	equal(t, "rest", string(rest), "")
	equal(t, "rest's error", err, nil)
}

// TestAHandlerWithoutSendRespondsAsAlways: a stream of one message needs no stream.
func TestAHandlerWithoutSendRespondsAsAlways(t *testing.T) {
	r := start(t, nil, nil, echo)
	for _, last := range []string{"model", "output"} {
		in := streamed(last)
		res := r.direct(t, in)
		out, err := event.ReadHeader(res.Header)
		if err != nil || event.IsStream(res.Header) {
			t.Fatalf("got %v, %v", res.Header, err)
		}
		equal(t, "status", res.StatusCode, http.StatusOK)
		equal(t, "krtstream", out.Stream, in.Stream)
	}
}

func TestLastNodeMayReturnNothing(t *testing.T) {
	handler := func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, nil }
	t.Run("response", func(t *testing.T) {
		r := start(t, nil, nil, handler)
		res := r.direct(t, streamed("model"))
		equal(t, "outcome", outcomeOf(t, newFrames(t, res.Header, res.Body).end().Steps), "ok")
	})
	t.Run("post", func(t *testing.T) {
		ends := make(chan event.End, 1)
		env, _ := streamPort(t, func(w http.ResponseWriter, req *http.Request) {
			ends <- newFrames(t, req.Header, req.Body).end()
			w.WriteHeader(http.StatusAccepted)
		})
		r := start(t, env, nil, handler)
		equal(t, "status", r.post(t, streamed("model")).status, http.StatusAccepted)
		equal(t, "outcome", outcomeOf(t, (<-ends).Steps), "ok")
	})
	t.Run("earlier node", func(t *testing.T) {
		r := start(t, nil, nil, handler)
		equal(t, "status", r.post(t, streamed("output")).status, http.StatusAccepted)
		s, err := r.reply(t).Status()
		equal(t, "error", err, nil)
		equal(t, "text", s.GetMessage(), "error in 'model': the handler returned no message")
	})
}

// TestSendIsOfTheRpcsType: what is wrong with a message is the handler's error, and costs
// the client none of the messages before it.
func TestSendIsOfTheRpcsType(t *testing.T) {
	for name, c := range map[string]struct {
		message proto.Message
		code    code.Code
		text    string
	}{
		"type": {wrapperspb.Int32(1), code.Code_INTERNAL,
			"error in 'model': cannot send: the message is a google.protobuf.Int32Value, the rpc returns a stream of google.protobuf.StringValue"},
		"size": {value(strings.Repeat("x", 1001)), code.Code_RESOURCE_EXHAUSTED,
			"error in 'model': cannot send: the google.protobuf.StringValue has 1004 bytes, the limit is 1000 (max-message-bytes)"},
		"nil": {nil, code.Code_INTERNAL, "error in 'model': cannot send: there is no message"},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"KRT_MAX_MESSAGE_BYTES": "1000"}
			r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
				return nil, errors.Join(ctx.Send(value("one")), ctx.Send(c.message))
			})
			res := r.direct(t, streamed("model"))
			f := newFrames(t, res.Header, res.Body)
			equal(t, "first", f.message(), "one")
			end := f.end()
			equal(t, "code", end.Failure.GetCode(), int32(c.code))
			equal(t, "text", end.Failure.GetMessage(), c.text)
			equal(t, "outcome", outcomeOf(t, end.Steps), "error")
		})
	}
}

// TestReturnedMessageIsOfTheRpcsType: also the last message, once others have gone.
func TestReturnedMessageIsOfTheRpcsType(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return &emptypb.Empty{}, ctx.Send(value("one"))
	})
	res := r.direct(t, streamed("model"))
	f := newFrames(t, res.Header, res.Body)
	equal(t, "first", f.message(), "one")
	info := &errdetails.ErrorInfo{}
	failure := f.end().Failure
	if len(failure.GetDetails()) != 1 || failure.GetDetails()[0].UnmarshalTo(info) != nil {
		t.Fatalf("got %v", failure)
	}
	equal(t, "reason", info.GetReason(), event.ReasonWrongOutput)
	equal(t, "node", info.GetMetadata()["node"], "model")
	equal(t, "workflow", info.GetMetadata()["workflow"], "flow")
}

func TestSendInAUnaryRpc(t *testing.T) {
	var err error
	r := start(t, nil, func(ctx *runner.HandlerContext) { err = ctx.Send(value("x")) },
		func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			return nil, ctx.Send(value("x"))
		})
	contains(t, "in init", err.Error(), "cannot send: there is no request in init")
	equal(t, "status", r.post(t, message("hi")).status, http.StatusAccepted)
	s, err := r.reply(t).Status()
	equal(t, "error", err, nil)
	equal(t, "code", s.GetCode(), int32(code.Code_INTERNAL))
	contains(t, "text", s.GetMessage(), "error in 'model': cannot send: the rpc returns one message, not a stream")
}

// TestSendWaits: a client that does not read holds the handler; here until the deadline.
func TestSendWaits(t *testing.T) {
	const messages = 64
	var sent int
	var failed error
	var begun atomic.Bool // on a busy machine the deadline may pass before: then another event is sent
	done := make(chan struct{}, 1)
	handler := func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		begun.Store(true)
		defer func() { done <- struct{}{} }()
		for sent = 0; sent < messages; sent++ {
			if failed = ctx.Send(value(strings.Repeat("x", 1<<20))); failed != nil {
				return nil, failed
			}
		}
		return nil, nil
	}
	check := func(t *testing.T) {
		<-done
		if sent >= messages/2 || !errors.Is(failed, context.DeadlineExceeded) {
			t.Errorf("%d messages were sent, then %v", sent, failed)
		}
	}
	short := func() *event.Event {
		e := streamed("model")
		e.Deadline = time.Now().Add(2 * time.Second)
		return e
	}
	t.Run("response", func(t *testing.T) {
		r := start(t, nil, nil, handler)
		for !begun.Swap(false) {
			if res, err := r.ask(t, short()); err == nil { // it may also have been cut before its header has come
				defer res.Body.Close()
			}
		}
		check(t)
	})
	t.Run("post", func(t *testing.T) {
		env, _ := streamPort(t, func(_ http.ResponseWriter, req *http.Request) {
			_, _ = io.CopyN(io.Discard, req.Body, 1)
			<-done
			done <- struct{}{}
		})
		r := start(t, env, nil, handler)
		for !begun.Swap(false) {
			equal(t, "status", r.post(t, short()).status, http.StatusAccepted)
		}
		check(t)
	})
}

// TestSendsAtOnce: frames do not mix.
func TestSendsAtOnce(t *testing.T) {
	const senders, each = 8, 25
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		var all sync.WaitGroup
		for i := range senders {
			all.Go(func() {
				for range each {
					if err := ctx.Send(value(strings.Repeat(string(rune('a'+i)), 100*i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		return nil, nil
	})
	res := r.direct(t, streamed("model"))
	f := newFrames(t, res.Header, res.Body)
	for range senders * each {
		if text := f.message(); len(text) > 0 && strings.Trim(text, text[:1]) != "" {
			t.Fatalf("got %q", text)
		}
	}
	f.end()
}

func TestSendAfterTheCall(t *testing.T) {
	var kept *runner.HandlerContext
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		kept = ctx
		return value("x"), nil
	})
	equal(t, "status", r.direct(t, streamed("model")).StatusCode, http.StatusOK)
	if err := kept.Send(value("late")); !errors.Is(err, runner.ErrNoClient) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestSendInBackgroundWork: it is dropped, as what unary work returns.
func TestSendInBackgroundWork(t *testing.T) {
	var sent error
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		sent = ctx.Send(value("x"))
		return nil, sent
	})
	in := streamed("model")
	in.Replied = true
	equal(t, "status", r.direct(t, in).StatusCode, http.StatusAccepted)
	equal(t, "error", sent, nil)
}

// TestClientGoesInMidStream: the next Send says so.
func TestClientGoesInMidStream(t *testing.T) {
	result := make(chan error, 1)
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		for {
			if err := ctx.Send(value("x")); err != nil {
				result <- err
				<-ctx.Context().Done()
				return nil, err
			}
		}
	})
	res := r.direct(t, streamed("model"))
	f := newFrames(t, res.Header, res.Body)
	f.message()
	equal(t, "error", res.Body.Close(), nil)
	if err := <-result; !errors.Is(err, runner.ErrNoClient) {
		t.Errorf("got %v", err)
	}
}

// dying is a foreign node whose code dies after a message.
type dying struct{}

func (dying) Init(context.Context) error { return nil }
func (dying) Down() error                { return nil }

func (dying) Call(c *runner.HandlerContext, in *event.Event) (runner.Output, error) {
	runner.Begin(c)
	if in.Stream.Unary() {
		return runner.Output{}, &runner.Unavailable{Err: errors.New("python exited: killed")}
	}
	err := runner.SendEncoded(c, runner.Output{Message: in.Message, Data: in.Data})
	return runner.Output{}, errors.Join(err, &runner.Unavailable{Err: errors.New("python exited: killed")})
}

// TestNodeThatDiesInMidStream: its event is not sent again, unlike that of one that dies
// before.
func TestNodeThatDiesInMidStream(t *testing.T) {
	listener, ready := listen(t), make(chan struct{})
	go func() {
		_ = runner.RunForeign(t.Context(), runner.Options{
			Getenv:   func(name string) string { return map[string]string{"KRT_NODE_NAME": "model"}[name] },
			Listener: listener, Logger: slog.New(slog.DiscardHandler), Ready: func() { close(ready) },
		}, dying{})
	}()
	<-ready
	r := &running{url: "http://" + listener.Addr().String()}
	equal(t, "unary", r.post(t, message("hi")).status, http.StatusServiceUnavailable)
	res := r.direct(t, streamed("model"))
	equal(t, "status", res.StatusCode, http.StatusOK)
	f := newFrames(t, res.Header, res.Body)
	equal(t, "first", f.message(), "hi")
	failure := f.end().Failure
	equal(t, "code", failure.GetCode(), int32(code.Code_UNAVAILABLE))
	equal(t, "text", failure.GetMessage(), "error in 'model': python exited: killed")
}
