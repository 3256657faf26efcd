package call

import (
	"context"
	"net"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"krt.dev/kn-krt/pkg/entrypoint/describe"
	"krt.dev/kn-krt/pkg/schema"
)

const (
	testProto = `syntax = "proto3";
package hotel;
import "money.proto";
service Entrypoint {
  rpc Quote(Request) returns (Price) {}
  rpc Cancel(Request) returns (Price) {}
  rpc Wait(Request) returns (Price) {}
  rpc Refuse(Request) returns (Price) {}
  rpc Nights(Request) returns (stream Price) {}
}
message Request { string roomType = 1; int32 nights = 2; }
`
	testImport = `syntax = "proto3";
package hotel;
message Price { double amount = 1; string currency = 2; }
`
)

// serveVersion serves a version called hotel and returns its address. Quote returns the
// number of nights, Cancel fails in node "model", Wait returns when the client is gone, Refuse
// is as Quote and not inspected. Nights returns a Price for each night, and fails after 13.
func serveVersion(t *testing.T, options ...grpc.ServerOption) string {
	t.Helper()
	s, err := schema.Compile(t.Context(), fstest.MapFS{
		"public_input.proto": {Data: []byte(testProto)},
		"money.proto":        {Data: []byte(testImport)},
	}, "public_input.proto", schema.Options{})
	require.NoError(t, err)

	server := grpc.NewServer(append(options, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		name, _ := grpc.MethodFromServerStream(stream)
		if len(metadata.ValueFromIncomingContext(stream.Context(), "krt-trace")) > 0 {
			stream.SetTrailer(metadata.MD{"krt-steps": testSteps(name)})
		}
		if len(metadata.ValueFromIncomingContext(stream.Context(), "krt-inspect")) > 0 && name != "/hotel.Entrypoint/Refuse" {
			stream.SetTrailer(metadata.Pairs("Krt-Correlation-Id", "4f0c"))
		}
		switch name {
		case "/hotel.Entrypoint/Refuse":
			return respondQuote(stream, s)
		case describe.Path:
			return respondDescribe(stream)
		case "/hotel.Entrypoint/Wait":
			_ = stream.SendHeader(metadata.Pairs("Krt-Correlation-Id", "4f0c"))
			<-stream.Context().Done()
			return stream.Context().Err()
		case "/hotel.Entrypoint/Nights":
			return respondNights(t, stream, s)
		case "/hotel.Entrypoint/Cancel":
			return handlerError(t)
		default:
			return respondQuote(stream, s)
		}
	}))...)
	reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(reflection.ServerOptions{
		Services: server, DescriptorResolver: s.Registry(),
	}))
	return serve(t, server)
}

// testSteps is what the version reports of a request, if it does.
func testSteps(method string) []string {
	const entrypoint, etl = "entrypoint;1000000000000000;0;20000;0000000000000001;", "etl;1000000000002000;6000;4000;0000000000000002;"
	switch method {
	case "/hotel.Entrypoint/Quote", "/hotel.Entrypoint/Nights":
		return []string{entrypoint + "ok," + etl + "ok;c,model;1000000000013000;0;30;0000000000000003;exit"}
	case "/hotel.Entrypoint/Cancel":
		return []string{entrypoint + "error," + etl + "error"}
	}
	return nil
}

func serve(t *testing.T, server *grpc.Server) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-served)
	})
	return listener.Addr().String()
}

func respondDescribe(stream grpc.ServerStream) error {
	if err := stream.RecvMsg(&emptypb.Empty{}); err != nil {
		return err
	}
	description, err := describe.Version{Name: "hotel", Workflows: []describe.Workflow{
		{Name: "room-price", RPC: "hotel.Entrypoint/Quote"},
		{Name: "cancel-room", RPC: "hotel.Entrypoint/Cancel"},
		{Name: "wait", RPC: "hotel.Entrypoint/Wait"},
		{Name: "never", RPC: "hotel.Entrypoint/Refuse"},
		{Name: "nights", RPC: "hotel.Entrypoint/Nights", Streams: true},
	}}.Struct()
	if err != nil {
		return err
	}
	return stream.SendMsg(description)
}

func respondQuote(stream grpc.ServerStream, s *schema.Schema) error {
	method, err := s.Method("Quote")
	if err != nil {
		return err
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	response := dynamicpb.NewMessage(method.Output())
	nights := request.Get(method.Input().Fields().ByName("nights")).Int()
	response.Set(method.Output().Fields().ByName("amount"), protoreflect.ValueOfFloat64(float64(nights)))
	return stream.SendMsg(response)
}

func respondNights(t *testing.T, stream grpc.ServerStream, s *schema.Schema) error {
	method, err := s.Method("Nights")
	if err != nil {
		return err
	}
	request := dynamicpb.NewMessage(method.Input())
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	nights := request.Get(method.Input().Fields().ByName("nights")).Int()
	for night := range min(nights, 13) {
		response := dynamicpb.NewMessage(method.Output())
		response.Set(method.Output().Fields().ByName("amount"), protoreflect.ValueOfFloat64(float64(night+1)))
		if err := stream.SendMsg(response); err != nil {
			return err
		}
	}
	switch {
	case nights == 14: // it is not heard of any more
		<-stream.Context().Done()
		return stream.Context().Err()
	case nights > 13:
		return handlerError(t)
	}
	return nil
}

func handlerError(t *testing.T) error {
	st, err := status.New(codes.Internal, "error in 'model': no such room").WithDetails(&errdetails.ErrorInfo{
		Reason: "HANDLER_ERROR", Domain: "krt.dev",
		Metadata: map[string]string{"version": "hotel", "workflow": "cancel-room", "node": "model"},
	})
	require.NoError(t, err)
	return st.Err()
}

// refusedAddress is an address at which nothing listens: one that was free a moment ago may be another program's.
const refusedAddress = "127.0.0.1:1"

// canceled is a context that is done already, as after Ctrl-C.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
