package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/pkg/runner/event"
	"krt.dev/kn-krt/test/bench/verbatim"
	"krt.dev/kn-krt/test/process"
)

// serve serves handler by net/http as it comes.
func serve(ctx context.Context, handler http.Handler) ([]string, error) {
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	go func() { panic(http.Serve(listener, handler)) }() //nolint:gosec // a bare server is what the others are compared with
	return []string{listener.Addr().String()}, nil
}

// httpEcho is the role of a bare net/http echo.
func httpEcho(ctx context.Context, _ json.RawMessage, _ *http.ServeMux) ([]string, error) {
	return serve(ctx, http.HandlerFunc(echoBody))
}

func echoBody(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", event.ContentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// eventEcho is the role of a bare echo that answers with the event it was
// given, unread: what the wire alone costs a node.
func eventEcho(ctx context.Context, _ json.RawMessage, _ *http.ServeMux) ([]string, error) {
	return serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			if strings.HasPrefix(name, "Ce-") {
				w.Header()[name] = values
			}
		}
		echoBody(w, r)
	}))
}

// goRunner is the role of a Go runner whose handler answers with the bytes it
// was given, as fields unknown to the type it returns: decoding them is no work
// of the runner's.
func goRunner(ctx context.Context, _ json.RawMessage, _ *http.ServeMux) ([]string, error) {
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go func() {
		err := runner.Run(ctx, runner.Options{
			Getenv: func(string) string { return "" }, Listener: listener, Ready: func() { close(ready) },
		}, nil, func(_ *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
			m := &emptypb.Empty{}
			m.ProtoReflect().SetUnknown(data.GetValue())
			return m, nil
		})
		if err != nil {
			panic(err)
		}
	}()
	<-ready
	return []string{listener.Addr().String()}, nil
}

// grpcEcho is the role of a raw grpc-go echo: one registered method over raw
// bytes, and the option that makes a server cheaper, which the entrypoint sets
// too.
func grpcEcho(ctx context.Context, _ json.RawMessage, _ *http.ServeMux) ([]string, error) {
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(verbatim.Codec{}),
		grpc.NumStreamWorkers(uint32(runtime.GOMAXPROCS(0))))
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Bench",
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{
			MethodName: "Call0",
			Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var body []byte
				return &body, decode(&body)
			},
		}},
	}, struct{}{})
	go func() {
		if err := s.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			panic(err)
		}
	}()
	return []string{listener.Addr().String()}, nil
}
