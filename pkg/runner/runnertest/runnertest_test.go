package runnertest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/runnertest"
)

// do is a handler that does what its message says.
func do(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	in := &wrapperspb.StringValue{}
	if err := data.UnmarshalTo(in); err != nil {
		return nil, err
	}
	switch in.GetValue() {
	case "reply":
		return wrapperspb.Int64(1), ctx.EarlyReply(wrapperspb.String("at once"))
	case "exit":
		ctx.SetEarlyExit()
		return wrapperspb.String("enough"), nil
	case "reply and exit":
		ctx.SetEarlyExit()
		return wrapperspb.String("late"), ctx.EarlyReply(wrapperspb.String("early"))
	case "error":
		return nil, errors.New("no such room")
	case "panic":
		panic("oops")
	case "wait":
		<-ctx.Context().Done()
		return nil, ctx.Context().Err()
	}
	return wrapperspb.String(ctx.GetString("greeting") + " " + in.GetValue() + " in " + ctx.Workflow()), nil
}

func TestThreeLines(t *testing.T) {
	r := runnertest.New(t, func(ctx *runner.HandlerContext) { ctx.Set("greeting", "Hello") }, do)
	var out wrapperspb.StringValue
	r.Call(wrapperspb.String("Ann")).Message(&out)
	if out.GetValue() != "Hello Ann in workflow" {
		t.Errorf("got %q", out.GetValue())
	}
}

func TestEarlyReply(t *testing.T) {
	out := runnertest.New(t, nil, do).Call(wrapperspb.String("reply"))
	var reply wrapperspb.StringValue
	var message wrapperspb.Int64Value
	out.EarlyReply(&reply)
	out.Message(&message)
	if reply.GetValue() != "at once" || message.GetValue() != 1 || out.Exited() || !out.Replied() || out.Ended() {
		t.Errorf("got %v, %v, %+v", &reply, &message, out)
	}
}

func TestEarlyExit(t *testing.T) {
	out := runnertest.New(t, nil, do).Call(wrapperspb.String("exit"))
	var exit wrapperspb.StringValue
	out.EarlyExit(&exit)
	if exit.GetValue() != "enough" || !out.Ended() || out.Failure() != nil {
		t.Errorf("got %v, %+v", &exit, out)
	}
}

func TestEarlyReplyAndExit(t *testing.T) {
	out := runnertest.New(t, nil, do).Call(wrapperspb.String("reply and exit"))
	var reply, exit wrapperspb.StringValue
	out.EarlyReply(&reply)
	out.EarlyExit(&exit)
	if reply.GetValue() != "early" || exit.GetValue() != "late" {
		t.Errorf("got %v, %v", &reply, &exit)
	}
}

func TestFailures(t *testing.T) {
	r := runnertest.New(t, nil, do)
	for what, want := range map[string]event.Failure{
		"error": {Code: code.Code_INTERNAL, Reason: event.ReasonHandlerError, Text: "error in 'node': no such room"},
		"panic": {Code: code.Code_INTERNAL, Reason: event.ReasonHandlerPanic, Text: "error in 'node': panic: oops"},
	} {
		want.Node, want.Workflow, want.Version = "node", "workflow", "test"
		out := r.Call(wrapperspb.String(what))
		if got := out.Failure(); got == nil || *got != want || !out.Ended() || out.Exited() {
			t.Errorf("%s: got %+v", what, got)
		}
	}
	if !strings.Contains(r.Log(), "runnertest_test.go") {
		t.Error("the panic's stack is not in the log")
	}
}

func TestDeadline(t *testing.T) {
	out := runnertest.New(t, nil, do, runnertest.Timeout(time.Millisecond)).Call(wrapperspb.String("wait"))
	if !out.Ended() || out.Replied() || out.Failure() != nil {
		t.Errorf("got %+v", out)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := runnertest.New(t, nil, func(c *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		cancel()
		return do(c, data)
	})
	if out := r.CallContext(ctx, wrapperspb.String("wait")); out.Replied() || out.Failure() != nil {
		t.Errorf("got %+v", out)
	}
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model"), []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runnertest.New(t, func(ctx *runner.HandlerContext) {
		data, err := os.ReadFile(ctx.Path("model"))
		if err != nil {
			panic(err)
		}
		ctx.Set("greeting", string(data)+" of "+ctx.Node())
	}, do, runnertest.BasePath(dir), runnertest.Workflow("flow"), runnertest.Env("KRT_NODE_NAME", "model"))
	var out wrapperspb.StringValue
	r.Call(wrapperspb.String("used")).Message(&out)
	if out.GetValue() != "weights of model used in flow" {
		t.Errorf("got %q", out.GetValue())
	}
}

type room struct {
	Name  string `json:"name"`
	Price int    `json:"price"`
}

func TestStore(t *testing.T) {
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	r := runnertest.New(t, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if err := ctx.Measurement.Save("loss", map[string]any{"value": 0.5}, map[string]string{"set": "test"}); err != nil {
			return nil, err
		}
		var found []room
		err := errors.Join(
			ctx.Prediction.Save(when, "cat", "dog"),
			ctx.Prediction.SaveError(runner.ErrMissingValues),
			ctx.DB.Save("rooms", room{"new", 200}),
			ctx.DB.Find("rooms", runner.QueryData{"price": map[string]any{"$gte": 100}}, &found),
		)
		names := []string{}
		for _, f := range found {
			names = append(names, f.Name)
		}
		return wrapperspb.String(strings.Join(names, " ")), err
	})
	r.SaveDocument("rooms", room{"dear", 100})
	r.SaveDocument("rooms", room{"cheap", 50})
	var out wrapperspb.StringValue
	r.Call(&wrapperspb.StringValue{}).Message(&out)
	if out.GetValue() != "dear new" {
		t.Errorf("found %q", out.GetValue())
	}
	var rooms []room
	r.Documents("rooms", &rooms)
	if len(rooms) != 3 || rooms[2] != (room{"new", 200}) {
		t.Errorf("saved %v", rooms)
	}
	if m := r.Measurements(); len(m) != 1 || m[0].Name != "loss" || m[0].Fields["value"] != 0.5 || m[0].Tags["set"] != "test" {
		t.Errorf("saved %v", m)
	}
	p := r.Predictions()
	if len(p) != 2 || !p[0].Date.Equal(when) || p[0].PredictedValue != "cat" || p[0].TrueValue != "dog" || p[1].Error != "missing_values" {
		t.Errorf("saved %v", p)
	}
}

func TestMirrored(t *testing.T) {
	handler := func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return wrapperspb.Bool(ctx.Mirrored()), ctx.Prediction.Save(time.Now(), "cat", "dog")
	}
	for want, options := range map[bool][]runnertest.Option{true: {runnertest.Mirrored()}, false: nil} {
		r := runnertest.New(t, nil, handler, options...)
		var out wrapperspb.BoolValue
		r.Call(&wrapperspb.StringValue{}).Message(&out)
		if p := r.Predictions(); out.GetValue() != want || len(p) != 1 || p[0].Mirror != want {
			t.Errorf("mirrored: %v, want %v; saved %v", out.GetValue(), want, p)
		}
	}
}

func TestStoreRefuses(t *testing.T) {
	r := runnertest.New(t, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		var found []room
		return wrapperspb.Bool(true), ctx.DB.Find("rooms", runner.QueryData{"price": map[string]any{"$near": 100}}, &found)
	})
	want := `cannot find in the collection "rooms": query: field "price": unknown operator "$near"`
	if f := r.Call(&wrapperspb.StringValue{}).Failure(); f == nil || !strings.Contains(f.Text, want) {
		t.Errorf("got %v", f)
	}
}

func TestWithoutStore(t *testing.T) {
	r := runnertest.New(t, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return nil, ctx.DB.Save("rooms", room{})
	}, runnertest.WithoutStore())
	if f := r.Call(&wrapperspb.StringValue{}).Failure(); f == nil || !strings.Contains(f.Text, "no store configured: set KRT_STORE") {
		t.Errorf("got %v", f)
	}
}

func TestConcurrentCalls(t *testing.T) {
	r := runnertest.New(t, nil, do)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if out := r.Call(wrapperspb.String("exit")); !out.Exited() {
				t.Errorf("got %+v", out)
			}
		})
	}
	wg.Wait()
}

// fatal is a test that only notes that it failed.
type fatal struct {
	testing.TB
	text string
}

type stopped struct{}

func (f *fatal) Helper() {}
func (f *fatal) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	panic(stopped{})
}

func (f *fatal) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	panic(stopped{})
}

func TestWhatFailsATest(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		read func(*runnertest.Result)
		want string
	}{
		"message of a failure": {"error", func(r *runnertest.Result) { r.Message(&wrapperspb.StringValue{}) },
			"the handler failed: error in 'node': no such room"},
		"message after an exit": {"exit", func(r *runnertest.Result) { r.Message(&wrapperspb.StringValue{}) }, "exited early"},
		"no reply":              {"", func(r *runnertest.Result) { r.EarlyReply(&wrapperspb.StringValue{}) }, "no early reply"},
		"an exit is no reply":   {"exit", func(r *runnertest.Result) { r.EarlyReply(&wrapperspb.StringValue{}) }, "no early reply"},
		"no exit":               {"", func(r *runnertest.Result) { r.EarlyExit(&wrapperspb.StringValue{}) }, "did not exit early"},
		"message of other types": {"", func(r *runnertest.Result) { r.Message(&durationpb.Duration{}) },
			"the message is a google.protobuf.StringValue"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fatal{TB: t}
			out := runnertest.New(f, nil, do).Call(wrapperspb.String(c.in))
			func() {
				defer func() {
					if p := recover(); p != any(stopped{}) {
						t.Errorf("recovered %v", p)
					}
				}()
				c.read(out)
			}()
			if !strings.Contains(f.text, c.want) {
				t.Errorf("got %q, want %q in it", f.text, c.want)
			}
		})
	}
}
