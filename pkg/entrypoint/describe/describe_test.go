package describe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"krt.dev/kn-krt/pkg/entrypoint/describe"
)

func TestClientsReadWhatTheEntrypointWrites(t *testing.T) {
	v := describe.Version{Name: "v1", Namespace: "kre", Description: "é", Workflows: []describe.Workflow{
		{Name: "one", RPC: "a.B/C", Input: "a.In", Output: "a.Out", Nodes: []string{"etl", "model"}},
		{Name: "two", RPC: "a.B/D", Input: "a.In", Output: "a.Out", Streams: true},
	}}
	s, err := v.Struct()
	require.NoError(t, err)
	require.Equal(t, v, describe.Read(s))
	require.Equal(t, describe.Version{}, describe.Read(&structpb.Struct{}))
	_, err = describe.Version{Name: "\xff"}.Struct()
	require.Error(t, err)
}

func TestFileHasTheRPC(t *testing.T) {
	file, err := describe.File()
	require.NoError(t, err)
	service := file.Services().Get(0)
	require.Equal(t, describe.Service, string(service.FullName()))
	require.Equal(t, describe.Path, "/"+string(service.FullName())+"/"+string(service.Methods().Get(0).Name()))
}

func TestCalls(t *testing.T) {
	w := describe.Workflow{Name: "one", RPC: "a.B/C"}
	v := describe.Version{Name: "v1", Namespace: "kre", Workflows: []describe.Workflow{w}}
	calls := v.Calls(w, describe.Place{Web: "v1.kre:80"}, `{"a":"it's"}`)
	require.Equal(t, []describe.Call{
		{Title: "JSON", Command: "curl http://v1.kre:80/a.B/C -H 'Content-Type: application/json' \\\n  -d '{\"a\":\"it'\\''s\"}'"},
		{Title: "CloudEvent", Command: "curl http://v1.kre:80/workflows/one -H 'Content-Type: application/json' \\\n" +
			"  -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: /me' -H 'ce-type: one' \\\n  -d '{\"a\":\"it'\\''s\"}'"},
		{Title: "gRPC, at v1.kre:9000 in the cluster, with reflection; from elsewhere",
			Command: "kn-krt invoke v1 one -n kre -d '{\"a\":\"it'\\''s\"}'"},
	}, calls)
	calls = v.Calls(w, describe.Place{Web: "127.0.0.1:8080", GRPC: "127.0.0.1:9000"}, "{}")
	require.Equal(t, describe.Call{Title: "gRPC, at 127.0.0.1:9000, with reflection",
		Command: "kn-krt invoke one -d '{}' --address 127.0.0.1:9000"}, calls[2])
}

func TestCallsOfAStream(t *testing.T) {
	w := describe.Workflow{Name: "one", RPC: "a.B/C", Streams: true}
	calls := describe.Version{}.Calls(w, describe.Place{Web: "127.0.0.1:8080", GRPC: "127.0.0.1:9000"}, "{}")
	require.Equal(t, []describe.Call{
		{Title: "Server-sent events", Command: "curl -N http://127.0.0.1:8080/a.B/C -H 'Content-Type: application/json' \\\n" +
			"  -H 'Accept: text/event-stream' -d '{}'"},
		{Title: "Lines of JSON", Command: "curl -N http://127.0.0.1:8080/a.B/C -H 'Content-Type: application/json' \\\n  -d '{}'"},
		{Title: "gRPC, at 127.0.0.1:9000, with reflection", Command: "kn-krt invoke one -d '{}' --address 127.0.0.1:9000"},
	}, calls)
}
