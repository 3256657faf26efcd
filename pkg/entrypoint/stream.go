package entrypoint

import (
	"context"
	"io"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
)

// Clients keep the streams of our own services open for as long as they like. A
// graceful stop waits for every stream, so these end when it begins.

// healthService is the health service.
type healthService struct {
	*health.Server
	leaving context.Context
}

// Watch implements grpc_health_v1.HealthServer. The last message to a
// client is that the version does not serve any more.
func (h healthService) Watch(in *grpc_health_v1.HealthCheckRequest, stream grpc_health_v1.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(h.leaving, cancel)()
	w := &watch{Health_WatchServer: stream, ctx: ctx}
	err := h.Server.Watch(in, w)
	if h.leaving.Err() == nil {
		return err
	}
	if w.last != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		_ = stream.Send(&grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING})
	}
	return status.Error(codes.Unavailable, "the version is stopping")
}

// watch is a client's stream, with a context of its own.
type watch struct {
	grpc_health_v1.Health_WatchServer
	ctx  context.Context
	last grpc_health_v1.HealthCheckResponse_ServingStatus
}

// Context implements grpc.ServerStream.
func (w *watch) Context() context.Context { return w.ctx }

// Send implements grpc_health_v1.Health_WatchServer.
func (w *watch) Send(r *grpc_health_v1.HealthCheckResponse) error {
	w.last = r.GetStatus()
	return w.Health_WatchServer.Send(r)
}

// reportHealth sets which services there are in the health service. Those that both
// tables have are served throughout.
func (e *Entrypoint) reportHealth(old, current *table) {
	now := current.services()
	if old != nil {
		for _, name := range old.services() {
			if !slices.Contains(now, name) {
				e.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVICE_UNKNOWN)
			}
		}
	}
	for _, name := range now {
		e.health.SetServingStatus(name, grpc_health_v1.HealthCheckResponse_SERVING)
	}
}

type reflectionV1 struct {
	v1.ServerReflectionServer
	leaving context.Context
}

// ServerReflectionInfo implements v1.ServerReflectionServer.
func (r reflectionV1) ServerReflectionInfo(stream v1.ServerReflection_ServerReflectionInfoServer) error {
	return r.ServerReflectionServer.ServerReflectionInfo(ending[v1.ServerReflectionRequest, v1.ServerReflectionResponse]{stream, r.leaving})
}

type reflectionV1Alpha struct {
	v1alpha.ServerReflectionServer
	leaving context.Context
}

// ServerReflectionInfo implements v1alpha.ServerReflectionServer.
func (r reflectionV1Alpha) ServerReflectionInfo(stream v1alpha.ServerReflection_ServerReflectionInfoServer) error {
	s := ending[v1alpha.ServerReflectionRequest, v1alpha.ServerReflectionResponse]{stream, r.leaving}
	return r.ServerReflectionServer.ServerReflectionInfo(s)
}

// ending is a stream that ends when the entrypoint begins to stop.
type ending[Req, Res any] struct {
	grpc.BidiStreamingServer[Req, Res]
	leaving context.Context
}

// Recv implements grpc.BidiStreamingServer.
func (s ending[Req, Res]) Recv() (*Req, error) {
	type message struct {
		request *Req
		err     error
	}
	came := make(chan message, 1)
	go func() { // until the stream ends, which it does with the handler
		request, err := s.BidiStreamingServer.Recv()
		came <- message{request, err}
	}()
	select {
	case m := <-came:
		return m.request, m.err
	case <-s.leaving.Done():
		return nil, io.EOF
	}
}
