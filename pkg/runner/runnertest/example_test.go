package runnertest_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/runnertest"
)

// The test of a handler calls it once and reads the message for the next node.
func ExampleNew() {
	var t *testing.T // the test's own
	greet := func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		name := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(name); err != nil {
			return nil, err
		}
		return wrapperspb.String("Hello " + name.GetValue()), nil
	}

	r := runnertest.New(t, nil, greet)
	out := &wrapperspb.StringValue{}
	r.Call(wrapperspb.String("Ada")).Message(out)
	fmt.Println(out.GetValue()) // Hello Ada
}

// A handler that refuses its input ends the workflow early; the client gets the text.
func ExampleResult_EarlyExit() {
	var t *testing.T // the test's own
	check := func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if len(data.GetValue()) == 0 {
			ctx.SetEarlyExit()
			return wrapperspb.String("the name is missing"), nil
		}
		return data.UnmarshalNew()
	}

	reason := &wrapperspb.StringValue{}
	runnertest.New(t, nil, check).Call(wrapperspb.String("")).EarlyExit(reason)
	fmt.Println(reason.GetValue()) // the name is missing
}

// A handler of a streaming rpc sends words; the client gets them in order.
func ExampleStreaming() {
	var t *testing.T // the test's own
	words := func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		for _, word := range []string{"Hello", "Ada"} {
			if err := ctx.Send(wrapperspb.String(word)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}

	out := runnertest.New(t, nil, words, runnertest.Streaming(&wrapperspb.StringValue{})).Call(wrapperspb.String("Ada"))
	for i := range out.Sent() {
		word := &wrapperspb.StringValue{}
		out.SentMessage(i, word)
		fmt.Println(word.GetValue()) // Hello, then Ada
	}
}

// What a handler saves is kept in memory, and read by the test.
func ExampleRunner_Documents() {
	var t *testing.T // the test's own
	save := func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if err := ctx.DB.Save("visits", map[string]any{"name": "Ada"}); err != nil {
			return nil, err
		}
		return data.UnmarshalNew()
	}

	r := runnertest.New(t, nil, save)
	r.Call(wrapperspb.String("Ada"))
	var visits []struct{ Name string }
	r.Documents("visits", &visits)
	fmt.Println(visits[0].Name) // Ada
}
