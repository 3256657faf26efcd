package entrypoint

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
)

// ownServices registers the entrypoint's own services, bounds their streams and lets only those
// clients read the contract that may.
type ownServices struct {
	*grpc.Server
	streams memory.Streams
	// allow returns why the client of a call may not read the contract; nil if it may.
	allow func(context.Context) error
}

// RegisterService implements grpc.ServiceRegistrar.
func (s *ownServices) RegisterService(desc *grpc.ServiceDesc, impl any) {
	bounded, allow := *desc, s.allow
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
			c := connectionOf(stream.Context())
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

// longHeader is the context key of the size, an int64, of a call's header that is
// larger than memory.SmallHeader.
type longHeader struct{}

// forwardedBytes is how much longer the metadata of a call may be that another entrypoint, which has
// checked it, forwards: it adds its mark and the name of its library.
const forwardedBytes = 1 << 10

// checkHeader refuses a call whose header is too long. It ends that call alone, and
// not the others on its connection.
func checkHeader(ctx context.Context, call *tap.Info) (context.Context, error) {
	n, limit := memory.HeaderBytes(call.Header), maxHeaderBytes
	if len(call.Header[traffic.Metadata]) > 0 {
		limit += forwardedBytes
	}
	switch {
	case n > limit:
		return ctx, status.Errorf(codes.ResourceExhausted, "the metadata has %d bytes, the limit is %d", n, limit)
	case n > memory.SmallHeader:
		return context.WithValue(ctx, longHeader{}, int64(n)), nil
	}
	return ctx, nil
}

// connectionOf is the connection of a gRPC call's ctx; nil if it is not known.
func connectionOf(ctx context.Context) *memory.Connection {
	if p, ok := peer.FromContext(ctx); ok {
		return memory.ConnectionAt(p.Addr)
	}
	return nil
}

// sending counts data as unsent until gRPC has sent it on the connection of
// ctx's call; nil if that is closed.
func sending(ctx context.Context, data mem.Buffer) mem.Buffer {
	if c := connectionOf(ctx); c != nil {
		return c.Sending(data)
	}
	return data
}
