package local

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/local/running"
)

// starting calls begun when the run has opened its ports, before nodes are started.
type starting struct {
	*recorder
	begun func(*Serving)
}

func (s starting) Event(e Event) {
	s.recorder.Event(e)
	if e.Type == EventStarting {
		s.begun(e.Serving)
	}
}

// With ports that the system chooses, a command would not find the run, and say that there is none.
func TestARunIsFoundWhileItStarts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	state, found := filepath.Join(t.TempDir(), "state"), false
	var where running.Run
	var serving *Serving
	err := Run(ctx, newBundle(t), Options{StateDir: state, Reporter: starting{newRecorder(), func(s *Serving) {
		serving = s
		where, found = running.In(t.Context(), state)
		cancel()
	}}})
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, found)
	require.Equal(t, serving.GRPC, where.GRPC)
	require.Equal(t, serving.Inspection, where.Inspection)
	_, found = running.In(t.Context(), state)
	require.False(t, found, "it has ended")
}
