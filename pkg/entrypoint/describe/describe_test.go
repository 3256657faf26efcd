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
		{Name: "two", RPC: "a.B/D", Input: "a.In", Output: "a.Out"},
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
