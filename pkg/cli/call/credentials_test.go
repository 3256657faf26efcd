package call

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"krt.dev/kn-krt/pkg/cli/term"
)

// guarded requires one of two credentials, for all calls or for those of workflows only.
func guarded(workflowsOnly bool) grpc.ServerOption {
	return grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		ctx := stream.Context()
		sent := slices.Concat(metadata.ValueFromIncomingContext(ctx, "authorization"), metadata.ValueFromIncomingContext(ctx, "x-api-key"))
		open := workflowsOnly && !strings.HasPrefix(info.FullMethod, "/hotel.")
		if open || slices.Equal(sent, []string{"Bearer a.b.c"}) || slices.Equal(sent, []string{"key-of-ada"}) {
			return next(srv, stream)
		}
		return status.Error(codes.Unauthenticated, "this requires authentication")
	})
}

func TestInvokeWithCredentials(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	const hint = "Give a file with a token (--token-file FILE) or with an API key (--api-key-file FILE)."
	for _, workflowsOnly := range []bool{false, true} {
		args := []string{"invoke", "room-price", "--address", serveVersion(t, guarded(workflowsOnly))}
		for _, right := range [][]string{{"--token-file", file("a.b.c\n")}, {"--api-key-file", file("key-of-ada\r\n")}} {
			got := runKrt(t.Context(), "", slices.Concat(args, right)...)
			require.Equal(t, term.ExitOK, got.code, got.err)
		}
		for _, wrong := range [][]string{nil, {"--api-key-file", file("key-of-bob")}} {
			got := runKrt(t.Context(), "", slices.Concat(args, wrong)...)
			require.Equal(t, term.ExitFailed, got.code)
			require.Contains(t, got.err, "this requires authentication")
			require.Contains(t, got.err, hint)
			require.NotContains(t, got.err, "bob")
		}
	}
	for wanted, text := range map[string]string{
		"must have one line of printable characters, without spaces": "two words",
		"cannot read the token: ":                                    strings.Repeat("a", 20_000),
	} {
		got := runKrt(t.Context(), "", "invoke", "room-price", "--address", refusedAddress, "--token-file", file(text))
		require.Equal(t, term.ExitFailed, got.code)
		require.Contains(t, got.err, wanted)
		require.NotContains(t, got.err, text)
	}
}
