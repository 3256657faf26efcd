package kre

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// TestNodesOfTheOriginalReportTheirSteps: a node that was written for kre-go knows nothing
// of it, and handles its messages in turn.
func TestNodesOfTheOriginalReportTheirSteps(t *testing.T) {
	posted, copied := make(chan http.Header, 1), make(chan http.Header, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /reply", func(_ http.ResponseWriter, r *http.Request) { posted <- r.Header })
	mux.HandleFunc("POST /inspect", func(_ http.ResponseWriter, r *http.Request) { copied <- r.Header })
	port := httptest.NewServer(mux)
	defer port.Close()
	address := startInTurn(t, port.URL, func(ctx *HandlerContext, data *anypb.Any) (proto.Message, error) {
		in := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(in); err != nil {
			return nil, err
		}
		switch in.GetValue() {
		case "exit":
			ctx.SetEarlyExit()
		case "reply":
			return wrapperspb.String(ctx.TraceParent()), ctx.Reply(wrapperspb.String("soon"))
		case "error":
			return nil, errors.New("no model")
		}
		return wrapperspb.String(ctx.TraceParent()), nil
	})
	for i, c := range []struct {
		text             string
		posted, returned string // outcomes in the events that come to the reply port, and back
	}{{"message", "", "ok"}, {"exit", "exit", ""}, {"reply", "reply", "ok"}, {"error", "error", ""}} {
		out, data := post(t, address, c.text)
		last, ok := reported(t, out)
		equal(t, ok, c.returned != "")
		if ok {
			traceparent := &wrapperspb.StringValue{}
			equal(t, proto.Unmarshal(data, traceparent), nil)
			equal(t, traceparent.GetValue(), event.NewTrace(parent, "").Child(last.SpanID).Parent)
			equal(t, last.Outcome.String(), c.returned)
			again, ok := reported(t, <-copied)
			equal(t, ok, true)
			equal(t, again, last)
			equal(t, last.Parent, event.NewTrace(parent, "").Caller(event.Trace{}))
		}
		if c.posted != "" {
			early, ok := reported(t, <-posted)
			equal(t, ok, true)
			equal(t, early.Outcome.String(), c.posted)
			equal(t, last.SpanID == early.SpanID, c.returned != "")
			last = early
		}
		equal(t, last.Node, "model")
		equal(t, last.Cold, i == 0)
	}
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// reported returns the one step in the headers of an event; false if they have none.
func reported(t *testing.T, h http.Header) (event.Step, bool) {
	t.Helper()
	e, err := event.ReadHeader(h)
	if errors.Is(err, event.ErrNoEvent) {
		return event.Step{}, false
	}
	equal(t, err, nil)
	steps := e.Steps.AppendTo(nil)
	equal(t, len(steps), 1)
	return steps[0], true
}

// startInTurn runs a node as [Start] does, and returns its address.
func startInTurn(t *testing.T, replyURL string, handler Handler) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	equal(t, err, nil)
	env := map[string]string{"KRT_NODE_NAME": "model", "KRT_REPLY_URL": replyURL}
	init, current := Adapt(nil, handler)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() {
		over <- runner.Run(ctx, runner.Options{
			Getenv: func(name string) string { return env[name] }, Listener: listener,
			Logger: slog.New(slog.DiscardHandler), InTurn: true,
		}, init, current)
	}()
	t.Cleanup(func() {
		cancel()
		equal(t, <-over, nil)
	})
	return "http://" + listener.Addr().String()
}

// post sends the node an event, and returns the headers and the data of its response.
func post(t *testing.T, address, text string) (http.Header, []byte) {
	t.Helper()
	message, data, err := event.Encode(wrapperspb.String(text))
	equal(t, err, nil)
	req, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(data))
	equal(t, err, nil)
	in := &event.Event{
		ID: "1", Source: "/krt/ns/v1/entrypoint", Type: event.TypeMessage, Message: message, CorrelationID: "c1",
		Workflow: "flow", ReplyToken: "token", Trace: event.NewTrace(parent, ""),
		Inspect: 100,
	}
	in.WriteHeader(req.Header)
	res, err := http.DefaultClient.Do(req)
	equal(t, err, nil)
	defer func() { _ = res.Body.Close() }()
	body, err := event.ReadBody(res.Body, res.ContentLength, 1<<20)
	equal(t, err, nil)
	return res.Header, body
}
