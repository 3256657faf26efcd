package scripts

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

// newRegistry starts a registry that has a base image for Python nodes, and returns
// its address.
func newRegistry(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	address := strings.TrimPrefix(server.URL, "http://")
	ref, err := name.ParseReference(address + "/python:base")
	require.NoError(t, err)
	config, err := empty.Image.ConfigFile()
	require.NoError(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config.Env = []string{"PYTHON_VERSION=3.13.1"}
	// As ko makes an image of cmd/runner.
	config.Config.Entrypoint = []string{"/ko-app/runner"}
	base, err := mutate.ConfigFile(empty.Image, config)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, base))
	return address
}
