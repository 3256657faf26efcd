package invocation

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestStepsOfAHostileVersion(t *testing.T) {
	steps, reported := readSteps(nil)
	require.Empty(t, steps)
	require.False(t, reported)
	steps, reported = readSteps(metadata.Pairs(stepsKey, "\x1b[2J;1;1;1;0000000000000001;ok"))
	require.Empty(t, steps)
	require.True(t, reported)
}

func TestDetailsHaveTheMostUsefulFirst(t *testing.T) {
	st, err := status.New(codes.Internal, "no").WithDetails(&errdetails.ErrorInfo{
		Reason: "HANDLER_ERROR", Metadata: map[string]string{"zone": "b", "area": "a", "node": "model", "workflow": "predict", "empty": ""},
	})
	require.NoError(t, err)
	f := NewFailure(st.Err())
	require.Equal(t, "INTERNAL", f.Code)
	require.Equal(t, "reason HANDLER_ERROR, node model, workflow predict, area a, zone b", f.Details())
	require.Empty(t, NewFailure(status.Error(codes.Unavailable, "no")).Details())
}
