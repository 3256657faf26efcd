package runnertest_test

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/runnertest"
)

// stream sends "one" and "two", then does what its message says.
func stream(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	in := &wrapperspb.StringValue{}
	if err := data.UnmarshalTo(in); err != nil {
		return nil, err
	}
	if in.GetValue() == "unary" {
		return wrapperspb.String("one"), nil
	}
	if err := errors.Join(ctx.Send(wrapperspb.String("one")), ctx.Send(wrapperspb.String("two"))); err != nil {
		return nil, err
	}
	switch in.GetValue() {
	case "nothing":
		return nil, nil
	case "error":
		return nil, errors.New("no such room")
	case "exit":
		ctx.SetEarlyExit()
	case "reply":
		if err := ctx.EarlyReply(wrapperspb.String("three")); err != nil {
			return nil, err
		}
	}
	return wrapperspb.String("last"), nil
}

// texts are all messages that the client gets.
func texts(r *runnertest.Result) (all []string) {
	for i := range r.Sent() {
		m := &wrapperspb.StringValue{}
		r.SentMessage(i, m)
		all = append(all, m.GetValue())
	}
	return all
}

func TestStreaming(t *testing.T) {
	last, before := runnertest.Streaming(wrapperspb.String("")), runnertest.StreamingBefore("output", wrapperspb.String(""))
	for name, c := range map[string]struct {
		option  runnertest.Option
		request string
		want    []string
		next    string // what Message reads; empty: not asked for
		exited  bool
		failure string
		replied bool
	}{
		"last node":              {last, "", []string{"one", "two", "last"}, "last", false, "", false},
		"last node, nothing":     {last, "nothing", []string{"one", "two"}, "two", false, "", false},
		"last node, unary":       {last, "unary", []string{"one"}, "one", false, "", false},
		"last node, error":       {last, "error", []string{"one", "two"}, "", false, "error in 'node': no such room", false},
		"last node, early reply": {last, "reply", []string{"one", "two", "three"}, "", false, "", true},
		"earlier node":           {before, "", []string{"one", "two"}, "last", false, "", false},
		"earlier node, unary":    {before, "unary", nil, "one", false, "", false},
		"earlier node, exit":     {before, "exit", []string{"one", "two", "last"}, "", true, "", true},
		"earlier node, error":    {before, "error", []string{"one", "two"}, "", false, "error in 'node': no such room", false},
		"earlier node, reply":    {before, "reply", []string{"one", "two"}, "last", false, "", true},
		"earlier node, no message": {before, "nothing", []string{"one", "two"}, "", false,
			"error in 'node': the handler returned no message: only the last node may end the stream", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := runnertest.New(t, nil, stream, c.option).Call(wrapperspb.String(c.request))
			if got := texts(r); !slices.Equal(got, c.want) {
				t.Errorf("got %q", got)
			}
			if r.Exited() != c.exited || r.Replied() != c.replied || (r.Failure() == nil) != (c.failure == "") {
				t.Errorf("exited %v, replied %v, failed %v", r.Exited(), r.Replied(), r.Failure())
			}
			if c.failure != "" && r.Failure().Text != c.failure {
				t.Errorf("got %q", r.Failure().Text)
			}
			if m := (&wrapperspb.StringValue{}); c.next != "" {
				if r.Message(m); m.GetValue() != c.next {
					t.Errorf("got %q", m.GetValue())
				}
			}
		})
	}
}

// TestWithoutStreaming: a handler that sends fails where the rpc is unary.
func TestWithoutStreaming(t *testing.T) {
	r := runnertest.New(t, nil, stream).Call(wrapperspb.String(""))
	if f := r.Failure(); f == nil || r.Sent() != 0 {
		t.Errorf("got %v, %d messages", f, r.Sent())
	}
}
