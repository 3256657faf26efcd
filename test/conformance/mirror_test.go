package conformance_test

import (
	"context"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"
)

func mirrorCases() []testCase {
	return []testCase{{name: "context: each node knows whether the request is a copy of another version's", run: mirroredNodes}}
}

func mirroredNodes(v *version) {
	for _, copied := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(v.t.Context(), patience)
		defer cancel()
		if copied {
			ctx = metadata.AppendToOutgoingContext(ctx, "krt-mirror", "1", "krt-forwarded", "1")
		}
		reply, err := v.callContext(ctx, "Three", request("n3"))
		require.NoError(v.t, err)
		require.Len(v.t, reply.GetVisits(), 3)
		for _, visit := range reply.GetVisits() {
			require.Equal(v.t, copied, visit.GetMirrored(), visit.GetNode())
		}
	}
}
