package conformance_test

import (
	"net/http"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"krt.dev/kn-krt/test/conformance/node"
)

func contractCases() []testCase {
	return []testCase{
		{name: "contract: gRPC reflection, v1 and v1alpha, and health", run: reflects},
		{name: "contract: GET /proto and a page that says how to call", run: tellsItsContract},
		{name: "contract: an rpc that is not there is UNIMPLEMENTED", run: unknownRPC},
	}
}

func reflects(v *version) {
	stream, err := v1.NewServerReflectionClient(v.conn).ServerReflectionInfo(v.t.Context())
	require.NoError(v.t, err)
	require.NoError(v.t, stream.Send(&v1.ServerReflectionRequest{
		MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "conformance.Entrypoint"},
	}))
	got, err := stream.Recv()
	require.NoError(v.t, err)
	require.NotEmpty(v.t, got.GetFileDescriptorResponse().GetFileDescriptorProto(), got)

	old, err := v1alpha.NewServerReflectionClient(v.conn).ServerReflectionInfo(v.t.Context())
	require.NoError(v.t, err)
	require.NoError(v.t, old.Send(&v1alpha.ServerReflectionRequest{
		MessageRequest: &v1alpha.ServerReflectionRequest_ListServices{},
	}))
	list, err := old.Recv()
	require.NoError(v.t, err)
	var services []string
	for _, s := range list.GetListServicesResponse().GetService() {
		services = append(services, s.GetName())
	}
	require.Contains(v.t, services, "conformance.Entrypoint")

	health, err := grpc_health_v1.NewHealthClient(v.conn).Check(v.t.Context(),
		&grpc_health_v1.HealthCheckRequest{Service: "conformance.Entrypoint"})
	require.NoError(v.t, err)
	require.Equal(v.t, grpc_health_v1.HealthCheckResponse_SERVING, health.GetStatus())
}

func tellsItsContract(v *version) {
	got, err := v.send(http.MethodGet, v.Web()+"/proto/conformance.proto", nil, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, got.status)
	want, err := node.Bundle.ReadFile("conformance.proto")
	require.NoError(v.t, err)
	require.Equal(v.t, string(want), got.body)
	got, err = v.send(http.MethodGet, v.Web()+"/", nil, nil)
	require.NoError(v.t, err)
	require.Equal(v.t, http.StatusOK, got.status)
	require.Contains(v.t, got.body, "conformance.Entrypoint/Three")
}

func unknownRPC(v *version) {
	_, err := v.call("Nine", request("n1"))
	require.Equal(v.t, codes.Unimplemented, codeOf(err))
	require.Contains(v.t, err.Error(), `"three"`)
}
