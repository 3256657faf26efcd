package runner_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// ending ends a call as its message says.
func ending(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	switch in := string(data.GetValue()); {
	case strings.Contains(in, "exit"):
		ctx.SetEarlyExit()
	case strings.Contains(in, "error"):
		return nil, errors.New("bad")
	case strings.Contains(in, "reply"):
		return value("done"), ctx.EarlyReply(value("soon"))
	}
	return value("done"), nil
}

// TestResponsesAreCopiedOnce: what comes to the reply port anyway is not.
func TestResponsesAreCopiedOnce(t *testing.T) {
	for text, c := range map[string]struct{ copied, replied bool }{
		"message": {true, false}, "exit": {false, true}, "error": {false, true}, "reply": {true, true},
	} {
		t.Run(text, func(t *testing.T) {
			r := start(t, nil, nil, ending)
			in := message(text)
			in.Steps, in.Inspect = earlier, 100
			out := r.post(t, in).event
			if c.replied {
				equal(t, "the reply's bound", r.reply(t).Inspect, 100)
			}
			var got posted
			if c.copied {
				got = <-r.copies // before the end, which waits for it no longer than a second
			}
			equal(t, "error", r.stop(), nil)
			equal(t, "more copies", len(r.copies), 0)
			if !c.copied {
				return
			}
			equal(t, "the next event's bound", out.Inspect, 100)
			equal(t, "step", reported(t, got.Event), reported(t, out))
			equal(t, "data", stringOf(t, got.Event), "done")
			equal(t, "size", got.size, 0)
			equal(t, "id", got.ID+got.CorrelationID+got.ReplyToken, out.ID+out.CorrelationID+out.ReplyToken)
		})
	}
}

func TestCopiesAreBounded(t *testing.T) {
	text := strings.Repeat("x", 1000)
	r := start(t, nil, nil, func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return value(text), nil })
	in := message("")
	in.Inspect = 64
	out := r.post(t, in).event
	equal(t, "message", stringOf(t, out), text)
	got := <-r.copies
	equal(t, "error", r.stop(), nil)
	equal(t, "data", string(got.Data), string(out.Data[:64]))
	equal(t, "size", got.size, len(out.Data))
}

// TestOnlyInspectedRequestsAreCopied: and only if somebody can be sent the copy.
func TestOnlyInspectedRequestsAreCopied(t *testing.T) {
	for name, c := range map[string]struct {
		env    map[string]string
		change func(*event.Event)
	}{
		"not inspected": {nil, func(e *event.Event) { e.Inspect = 0 }},
		"no token":      {nil, func(e *event.Event) { e.ReplyToken = "" }},
		"no address":    {map[string]string{"KRT_REPLY_URL": ""}, func(*event.Event) {}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, c.env, nil, ending)
			in := message("")
			in.Inspect = 100
			c.change(in)
			equal(t, "bound", r.post(t, in).event.Inspect, in.Inspect)
			equal(t, "error", r.stop(), nil)
			equal(t, "copies", len(r.copies), 0)
		})
	}
}

// TestNobodyWaitsForACopy: not for one that hangs either, neither a call nor, for long,
// the end of the node.
func TestNobodyWaitsForACopy(t *testing.T) {
	free, hung := make(chan struct{}), make(chan struct{}, 64)
	port := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		hung <- struct{}{}
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}))
	defer port.Close()
	defer close(free)
	r := start(t, map[string]string{"KRT_REPLY_URL": port.URL}, nil, ending)
	in := message("")
	in.Inspect = 100
	for range 40 {
		equal(t, "message", stringOf(t, r.post(t, in).event), "done")
	}
	<-hung
	equal(t, "error", r.stop(), nil)
	equal(t, "log", strings.Contains(r.log.String(), "WARN"), false)
}
