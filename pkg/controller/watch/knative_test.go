package watch

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// flaky is a source that fails to start so many times.
type flaky struct{ fails, starts int }

func (f *flaky) Start(context.Context, Queue) error {
	if f.fails > 0 {
		f.fails--
		return errors.New("not now")
	}
	f.starts++
	return nil
}

func (f *flaky) WaitForSync(context.Context) error { return nil }

func TestSourcesThatCannotStartAreRetried(t *testing.T) {
	one, two, prepared := &flaky{}, &flaky{fails: 1}, 0
	s := &installationSource{installation: &Installation{}, kinds: []source.SyncingSource{one, two}, prepare: func(context.Context) error {
		if prepared++; prepared == 1 {
			return errors.New("not yet")
		}
		return nil
	}}
	require.EqualError(t, s.set(t.Context(), nil, true), "not yet")
	require.EqualError(t, s.set(t.Context(), nil, true), "not now")
	require.False(t, s.installation.Present(), "what is not watched is not present")
	require.NoError(t, s.set(t.Context(), nil, true))
	require.True(t, s.installation.Present())
	require.NoError(t, s.set(t.Context(), nil, false))
	require.NoError(t, s.set(t.Context(), nil, true))
	require.Equal(t, []int{1, 1}, []int{one.starts, two.starts}, "each once")
}
