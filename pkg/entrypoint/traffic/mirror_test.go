package traffic

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoregistry"
	_ "google.golang.org/protobuf/types/known/wrapperspb" // a message

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/entrypoint/memory"
	"krt.dev/kn-krt/pkg/inspection"
)

// TestWhatThePublishedVersionMadeWrongIsNotCompared: it says nothing about the canary.
func TestWhatThePublishedVersionMadeWrongIsNotCompared(t *testing.T) {
	contract, err := capture.NewContract(protoregistry.GlobalFiles, capture.Settings{})
	require.NoError(t, err)
	var kept []inspection.Difference
	d := New(Options{
		Budget: memory.New(1<<20, new(atomic.Int64), 1),
		Differ: func(d inspection.Difference, _ *capture.Contract, _ string, _ []byte) { kept = append(kept, d) },
	})
	const good, wrong = "\x0a\x01a", "\x0a\x05a"
	compared := func(published, canary string) outcome {
		c := &Copy{divider: d, state: &state{}, response: []byte(published)}
		c.of = Subject{Contract: contract, Output: "google.protobuf.StringValue"}
		return c.compare([]byte(canary))
	}
	require.Equal(t, dropped, compared(wrong, good))
	require.Empty(t, kept)
	require.Equal(t, different, compared(good, wrong))
	require.Len(t, kept, 1)
	require.Contains(t, kept[0].Note, "cannot decode the response of the canary")
}
