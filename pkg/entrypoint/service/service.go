// Package service is what every entrypoint serves on its gRPC port besides the rpcs of its version:
// health and reflection. Clients keep the streams of these for as long as they like, and a graceful
// stop waits for every stream, so here they end when it begins.
package service

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
)

// Health is the health service.
type Health struct {
	*health.Server
	// Leaving ends when the entrypoint begins to stop.
	Leaving context.Context
}

// Watch implements grpc_health_v1.HealthServer. The last message to a
// client is that the version does not serve any more.
func (h Health) Watch(in *grpc_health_v1.HealthCheckRequest, stream grpc_health_v1.Health_WatchServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(h.Leaving, cancel)()
	w := &watch{Health_WatchServer: stream, ctx: ctx}
	err := h.Server.Watch(in, w)
	if h.Leaving.Err() == nil {
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
