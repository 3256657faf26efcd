package service

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
)

// Own registers the entrypoint's own services, bounds their streams and lets only those
// clients read the contract that may.
type Own struct {
	*grpc.Server
	// Allow returns why the client of a call may not read the contract; nil if it may.
	Allow func(context.Context) error

	streams memory.Streams
}

// RegisterService implements grpc.ServiceRegistrar.
func (s *Own) RegisterService(desc *grpc.ServiceDesc, impl any) {
	bounded, allow := *desc, s.Allow
	if desc.ServiceName == grpc_health_v1.Health_ServiceDesc.ServiceName {
		allow = func(context.Context) error { return nil }
	}
	bounded.Methods = slices.Clone(desc.Methods)
	for i := range bounded.Methods {
		handle := bounded.Methods[i].Handler
		bounded.Methods[i].Handler = func(srv any, ctx context.Context, read func(any) error, by grpc.UnaryServerInterceptor) (any, error) {
			if err := allow(ctx); err != nil {
				return nil, err
			}
			return handle(srv, ctx, read, by)
		}
	}
	bounded.Streams = slices.Clone(desc.Streams)
	for i := range bounded.Streams {
		handle := bounded.Streams[i].Handler
		bounded.Streams[i].Handler = func(srv any, stream grpc.ServerStream) error {
			c := memory.ConnectionOf(stream.Context())
			if c == nil {
				return status.Error(codes.Internal, "this server does not know the stream's connection")
			}
			defer s.streams.End(c)
			if !s.streams.Begin(c) {
				return status.Errorf(codes.ResourceExhausted, "the connection has too many streams of the entrypoint's own services "+
					"(health, reflection); it may have %d at once, or one while all connections have %d; try again later",
					memory.StreamsPerConnection, memory.MaxStreams)
			}
			if err := allow(stream.Context()); err != nil {
				return err
			}
			return handle(srv, stream)
		}
	}
	s.Server.RegisterService(&bounded, impl)
}
