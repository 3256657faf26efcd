package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"krt.dev/kn-krt/test/bench/verbatim"
	"krt.dev/kn-krt/test/process"
)

// grpcProxy is the role of a bare grpc-go proxy before the address it is given: it reads, checks and
// counts nothing, and uses one connection. Nothing that forwards calls with grpc-go can go below.
func grpcProxy(ctx context.Context, settings json.RawMessage, _ *http.ServeMux) ([]string, error) {
	var to string
	if err := json.Unmarshal(settings, &to); err != nil {
		return nil, err
	}
	conn, err := dialGRPC(to)
	if err != nil {
		return nil, err
	}
	listener, err := process.Listen(ctx)
	if err != nil {
		return nil, err
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(verbatim.Codec{}), grpc.NumStreamWorkers(uint32(runtime.GOMAXPROCS(0))),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			var body, answer []byte
			if err := stream.RecvMsg(&body); err != nil {
				return err
			}
			method, _ := grpc.MethodFromServerStream(stream)
			if err := conn.Invoke(metadata.NewOutgoingContext(stream.Context(), nil), method, &body, &answer); err != nil {
				return err
			}
			return stream.SendMsg(&answer)
		}))
	go func() {
		if err := s.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			panic(err)
		}
	}()
	return []string{listener.Addr().String()}, nil
}
