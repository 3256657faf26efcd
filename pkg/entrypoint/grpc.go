package entrypoint

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/entrypoint/raw"
	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/entrypoint/service"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/runner/event"
)

// newGRPCServer serves any proto: calls arrive at one handler as raw bytes and
// are never decoded here.
func (e *Entrypoint) newGRPCServer() *grpc.Server {
	s := raw.NewServer(e.handleStream, e.options.ConnectionAge, e.options.ConnectionGrace)
	own := &service.Own{Server: s, Allow: e.authenticateReader}
	grpc_health_v1.RegisterHealthServer(own, service.Health{Server: e.health, Leaving: e.leaving})
	service.RegisterReflection(e.leaving, own, contract{e})
	service.RegisterDescribe(own, contract{e})
	return s
}

// handleStream serves one call of the user's own services, with its header counted.
func (e *Entrypoint) handleStream(_ any, stream grpc.ServerStream) error {
	if c := memory.ConnectionOf(stream.Context()); c != nil {
		c.Begin()
		defer c.End()
	}
	if n, long := raw.LongHeader(stream.Context()); long {
		if !e.budget.Reserve(n) {
			return status.FromProto(memory.Refusal(memory.ErrFull)).Err()
		}
		defer e.budget.Release(n)
	}
	return e.handleCall(stream)
}

func (e *Entrypoint) handleCall(stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	t := e.acquire()
	if t == nil {
		return status.Error(codes.Unavailable, "the version is stopping")
	}
	defer t.release()
	k, data, err := e.admitCall(t, t.byMethod[method], stream)
	if err != nil {
		return err
	}
	ctx := stream.Context()
	// Not compressed, even for clients that ask for it: gRPC would free ours and hold
	// the compressed response until it is sent, and nothing would count that.
	_ = grpc.SetSendCompressor(ctx, encoding.Identity)
	divided := e.divide(ctx)
	defer divided.End()
	if served, err := k.forward(stream, divided, data); served {
		return err
	}
	trace := event.TraceOf(metadata.ValueFromIncomingContext(ctx, "traceparent"), metadata.ValueFromIncomingContext(ctx, "tracestate"))
	in := received{data: data, inspect: asked(ctx), divided: divided}
	if k.route.stream {
		return serveStream(event.ContextWithTrace(ctx, trace), stream, k, in)
	}
	if in.inspect { // who does not wait until the end has the id too
		in.begun = func(id string) { _ = stream.SendHeader(metadata.Pairs(headerCorrelation, id)) }
	}
	req, response := k.call(event.ContextWithTrace(ctx, trace), in)
	defer req.observe()
	if in.inspect || req.kept != nil || response.failure != nil { // a trailer takes a tenth of a short call
		stream.SetTrailer(metadata.Pairs(headerCorrelation, req.First.Event.CorrelationID))
	}
	if raw.WantsSteps(ctx) {
		stream.SetTrailer(metadata.Pairs(raw.StepsTrailer, string(req.allSteps())))
	}
	if response.failure != nil {
		return status.FromProto(response.failure).Err()
	}
	return send(stream, response.data)
}

// admitCall admits a call of r, nil if there is none, and receives its message. The error is a status.
func (e *Entrypoint) admitCall(t *table, r *route, stream grpc.ServerStream) (k ticket, data mem.Buffer, err error) {
	ctx := stream.Context()
	if traffic.Forwarded(ctx) {
		defer func() {
			if err != nil {
				stream.SetTrailer(traffic.Refused())
			}
		}()
	}
	if r == nil {
		method, _ := grpc.MethodFromServerStream(stream)
		return k, nil, status.Error(codes.Unimplemented, t.unknownMethod(method))
	}
	if refusal := e.authenticateCall(ctx, t, r); refusal != nil {
		return k, nil, status.FromProto(refusal).Err()
	}
	k, refusal := e.admit(t, r, record.GRPC)
	if refusal != nil {
		return k, nil, status.FromProto(refusal).Err()
	}
	if data, err = e.receiver.Receive(ctx, r.path[1:], r.input.FullName()); err != nil {
		err = raw.Late(ctx, k.begin, err)
		k.refuse(status.Convert(err).Proto())
	}
	return k, data, err
}

// unknownMethod describes why there is no route for method.
func (t *table) unknownMethod(method string) string {
	return service.Unknown(t.version.Schema, t.version.Name, method, t.workflows())
}
