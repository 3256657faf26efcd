package localrun

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// At is a version that runs elsewhere, to be called at these addresses, both
// host:port. It can be called, and nothing else of it is known.
func At(t testing.TB, grpcAddress, web string) *Version {
	t.Helper()
	conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &Version{GRPC: grpcAddress, Web: web, conn: conn}
}
