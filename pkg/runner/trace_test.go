package runner_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

const (
	startParent   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	hopParent     = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
	foreignParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// postTraced posts an event whose attribute is start and whose header is hop.
func (r *running) postTraced(t *testing.T, start, hop string) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	e := message("")
	e.Trace = event.Trace{Parent: start}
	e.WriteHeader(req.Header)
	if hop != "" {
		req.Header.Set("Traceparent", hop)
	}
	a, err := do(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ofStep returns the traceparent of the step that made e, whose parent is the
// traceparent hop.
func ofStep(t *testing.T, e *event.Event, hop string) string {
	t.Helper()
	step, ok := e.Steps.Last()
	equal(t, "a step is reported", ok, true)
	return event.NewTrace(hop, "").Child(step.SpanID).Parent
}

func TestHandlersContinueTheTrace(t *testing.T) {
	r := start(t, nil, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		derived, cancel := context.WithCancel(ctx.Context())
		defer cancel()
		equal(t, "in the context", runner.TraceParent(derived), ctx.TraceParent())
		return value(ctx.TraceParent()), nil
	})
	for name, c := range map[string]struct{ start, hop, want string }{
		"neither":                 {"", "", ""},
		"the attribute":           {startParent, "", startParent},
		"the header":              {"", hopParent, hopParent},
		"both of one trace":       {startParent, hopParent, hopParent},
		"a header of another":     {startParent, foreignParent, startParent},
		"a header of version ff":  {startParent, "ff" + hopParent[2:], startParent},
		"a header of version 01":  {startParent, "01" + hopParent[2:] + "-x", hopParent},
		"an attribute of nothing": {"00-00", hopParent, hopParent},
	} {
		t.Run(name, func(t *testing.T) {
			a := r.postTraced(t, c.start, c.hop)
			equal(t, "traceparent", stringOf(t, a.event), ofStep(t, a.event, c.want))
			want := c.start
			if len(want) != len(startParent) {
				want = ""
			}
			equal(t, "attribute", a.event.Trace.Parent, want)
			equal(t, "header of a response", a.header.Get("Traceparent"), "")
		})
	}
}

// TestTheStoreIsSentTheTrace: what a handler saves and finds is below its span.
func TestTheStoreIsSentTheTrace(t *testing.T) {
	got := make(chan http.Header, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header
		_, _ = w.Write([]byte(`{"id":"1","documents":[]}`))
	}))
	defer server.Close()
	r := start(t, map[string]string{"KRT_STORE": server.URL}, nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		return value(""), errors.Join(
			ctx.Measurement.Save("rooms", map[string]any{"beds": 2}, nil), ctx.Prediction.Save(time.Now(), "a", "b"),
			ctx.DB.Save("rooms", map[string]any{"beds": 2}), ctx.DB.Find("rooms", runner.QueryData{"beds": 2}, &[]any{}),
		)
	})
	out := r.postTraced(t, startParent, hopParent).event
	for range 4 {
		equal(t, "traceparent", (<-got).Get("Traceparent"), ofStep(t, out, hopParent))
	}
	equal(t, "event", r.postTraced(t, "", "").event != nil, true)
	equal(t, "traceparent", (<-got).Get("Traceparent"), "")
}

// TestRepliesKeepTheTrace: the attribute as it came, the header of the step's span.
func TestRepliesKeepTheTrace(t *testing.T) {
	for name, handler := range map[string]runner.Handler{
		"early reply": func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			return value("last"), ctx.EarlyReply(value("early"))
		},
		"exit": func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
			ctx.SetEarlyExit()
			return value("exit"), nil
		},
		"error": func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { return nil, errors.New("broken") },
		"panic": func(*runner.HandlerContext, *anypb.Any) (proto.Message, error) { panic("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			posted := make(chan http.Header, 1)
			port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				posted <- r.Header
				w.WriteHeader(http.StatusAccepted)
			}))
			defer port.Close()
			r := start(t, map[string]string{"KRT_REPLY_URL": port.URL}, nil, handler)
			r.postTraced(t, startParent, hopParent)
			h := <-posted
			equal(t, "attribute", h.Get("Ce-Traceparent"), startParent)
			e, err := event.ReadHeader(h)
			equal(t, "error", err, nil)
			equal(t, "header", h.Get("Traceparent"), ofStep(t, e, hopParent))
		})
	}
}
