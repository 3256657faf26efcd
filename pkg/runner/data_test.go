package runner_test

import (
	"errors"
	"math"
	"net"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/pkg/runner/runnertest"
)

type score float64

func TestWhatAMeasurementKeeps(t *testing.T) {
	half := 0.5
	var none *int
	r := runnertest.New(t, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return value("saved"), ctx.Measurement.Save("rooms", map[string]any{
			"beds": 2, "price": score(3.5), "half": &half, "ok": true, "name": "a", "raw": []byte("b"), "big": uint64(7),
			"day": time.Saturday, "at": time.Unix(0, 0).UTC(), "took": 1500 * time.Millisecond, "list": []int{1, 2},
			"nil": nil, "none": none, "nan": math.NaN(), "inf": float32(math.Inf(1)),
		}, map[string]string{"node": "mine"})
	})
	r.Call(value("")).Message(&wrapperspb.StringValue{})
	saved := r.Measurements()[0]
	same(t, "fields", saved.Fields, map[string]any{
		"beds": 2.0, "price": 3.5, "half": 0.5, "ok": true, "name": "a", "raw": "b", "big": 7.0,
		"day": "Saturday", "at": "1970-01-01T00:00:00Z", "took": "1.5s", "list": "[1 2]",
	})
	same(t, "tags", saved.Tags, map[string]string{"node": "mine"})
}

func TestAMeasurementThatCannotBeSaved(t *testing.T) {
	for want, fields := range map[string]map[string]any{
		`cannot save the measurement "rooms": it has no fields`: nil,
		`cannot save the measurement "rooms": none of its fields has a value: "beds", "score" is nil or not a number`: {
			"score": math.NaN(), "beds": nil,
		},
	} {
		for _, option := range []runnertest.Option{runnertest.Env("X", ""), runnertest.WithoutStore()} {
			r := runnertest.New(t, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
				return nil, ctx.Measurement.Save("rooms", fields, nil)
			}, option)
			failure := r.Call(value("")).Failure()
			equal(t, "text", failure.Text, "error in 'node': "+want)
			contains(t, "log", r.Log(), "measurement lost")
			equal(t, "saved", len(r.Measurements()), 0)
		}
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A store that hangs costs a measurement and a prediction, and not the request.
func TestAStoreThatHangs(t *testing.T) {
	hung, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	env := map[string]string{"KRT_STORE": "http://" + hung.Addr().String()}
	r := start(t, env, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		if ctx.Measurement.Save("rooms", map[string]any{"beds": 2}, nil) == nil || ctx.Prediction.Save(time.Now(), "a", "b") == nil {
			return nil, errors.New("nothing has been saved")
		}
		return value("done"), ctx.Context().Err()
	})
	in := message("x")
	in.Deadline = time.Now().Add(2 * time.Minute)
	equal(t, "type", r.post(t, in).event.Type, event.TypeMessage)
}
