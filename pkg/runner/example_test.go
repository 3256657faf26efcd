package runner_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
)

// A node is a main package whose main calls Start. A real one uses the messages that
// are generated from the version's protos.
func ExampleStart() {
	handlerInit := func(ctx *runner.HandlerContext) {
		ctx.Set("greeting", "Hello")
	}
	handler := func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		name := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(name); err != nil {
			return nil, err
		}
		return wrapperspb.String(ctx.GetString("greeting") + " " + name.GetValue()), nil
	}
	runner.Start(handlerInit, handler)
}

// Run is Start for programs that decide themselves where the node listens and when it
// ends. Here an event is posted to it as an entrypoint does.
func ExampleRun() {
	greet := func(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		text := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(text); err != nil {
			return nil, err
		}
		return wrapperspb.String("Hello " + text.GetValue()), nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- runner.Run(ctx, runner.Options{
			Listener: listener,
			Logger:   slog.New(slog.DiscardHandler),
			Ready:    func() { close(ready) },
		}, nil, greet)
	}()
	<-ready

	message, data, _ := event.Encode(wrapperspb.String("Ada"))
	in := event.Event{ID: "1", Source: "/example", Type: event.TypeMessage, Message: message}
	request, _ := http.NewRequest(http.MethodPost, "http://"+listener.Addr().String(), bytes.NewReader(data))
	in.WriteHeader(request.Header)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	text := &wrapperspb.StringValue{}
	fmt.Println(response.StatusCode, proto.Unmarshal(body, text), text.GetValue())
	http.DefaultClient.CloseIdleConnections()
	stop()
	fmt.Println(<-ended)
	// Output:
	// 200 <nil> Hello Ada
	// <nil>
}

// The client gets the reply immediately; the handler continues, for as long as the
// version's background timeout, and so does the workflow.
func ExampleHandlerContext_EarlyReply() {
	runner.Start(nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if err := ctx.EarlyReply(wrapperspb.String("accepted")); err != nil {
			return nil, err
		}
		return data.UnmarshalNew()
	})
}

// The client of a streaming rpc gets each word at once. Send waits while the client does
// not read, and returns an error when it has gone: a handler ends with that error.
func ExampleHandlerContext_Send() {
	runner.Start(nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		text := &wrapperspb.StringValue{}
		if err := data.UnmarshalTo(text); err != nil {
			return nil, err
		}
		for word := range strings.FieldsSeq(text.GetValue()) {
			if err := ctx.Send(wrapperspb.String(word)); err != nil {
				return nil, err
			}
		}
		return nil, nil // the stream ends; a message would be its last one
	})
}

// The client gets the message that the handler returns; the following nodes do not
// run.
func ExampleHandlerContext_SetEarlyExit() {
	runner.Start(nil, func(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
		if len(data.GetValue()) == 0 {
			ctx.SetEarlyExit()
			return wrapperspb.String("nothing to do"), nil
		}
		return data.UnmarshalNew()
	})
}

// A request to another service ends when the call does, and continues its trace.
func ExampleTraceParent() {
	get := func(ctx context.Context, url string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		if parent := runner.TraceParent(ctx); parent != "" {
			request.Header.Set("traceparent", parent)
		}
		return http.DefaultClient.Do(request)
	}
	runner.Start(nil, func(ctx *runner.HandlerContext, _ *anypb.Any) (proto.Message, error) {
		response, err := get(ctx.Context(), "http://rates.example/EUR")
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		rate, err := io.ReadAll(io.LimitReader(response.Body, 64))
		return wrapperspb.String(string(rate)), err
	})
}
