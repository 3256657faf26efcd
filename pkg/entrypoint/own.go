package entrypoint

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// ownServices registers the entrypoint's own services, whose messages gRPC reads
// itself: each of their calls is counted with the most it may hold.
type ownServices struct {
	*grpc.Server
	budget *budget
}

// ownBytes is the window of a stream and a message.
const ownBytes = windowBytes + maxOwnBytes

// RegisterService implements grpc.ServiceRegistrar.
func (s *ownServices) RegisterService(desc *grpc.ServiceDesc, impl any) {
	counted := *desc
	counted.Methods = append([]grpc.MethodDesc(nil), desc.Methods...)
	for i := range counted.Methods {
		handle := counted.Methods[i].Handler
		counted.Methods[i].Handler = func(srv any, ctx context.Context, read func(any) error, i grpc.UnaryServerInterceptor) (any, error) {
			if !s.budget.take(ownBytes) {
				return nil, status.FromProto(refusal(errBudget)).Err()
			}
			defer s.budget.held.Add(-ownBytes)
			return handle(srv, ctx, read, i)
		}
	}
	counted.Streams = append([]grpc.StreamDesc(nil), desc.Streams...)
	for i := range counted.Streams {
		handle := counted.Streams[i].Handler
		counted.Streams[i].Handler = func(srv any, stream grpc.ServerStream) error {
			if !s.budget.take(ownBytes) {
				return status.FromProto(refusal(errBudget)).Err()
			}
			defer s.budget.held.Add(-ownBytes)
			return handle(srv, stream)
		}
	}
	s.Server.RegisterService(&counted, impl)
}

// longHeader is the context key of the size, an int64, of a call's header that is
// larger than requestBytes covers.
type longHeader struct{}

// checkHeader refuses a call whose header is too long, for itself: that of one
// call must not end the others on its connection.
func checkHeader(ctx context.Context, call *tap.Info) (context.Context, error) {
	switch n := headerBytes(call.Header); {
	case n > maxHeaderBytes:
		return ctx, status.Errorf(codes.ResourceExhausted, "the metadata has %d bytes, the limit is %d", n, maxHeaderBytes)
	case n > smallHeader:
		return context.WithValue(ctx, longHeader{}, int64(n)), nil
	}
	return ctx, nil
}

// sending counts data as unsent until gRPC has sent it on the connection of
// ctx's call; nil if that is closed.
func sending(ctx context.Context, data mem.Buffer) mem.Buffer {
	if p, ok := peer.FromContext(ctx); ok {
		if at, ok := p.Addr.(peerAddress); ok {
			return at.conn.sending(data)
		}
	}
	return data
}
