package meter

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestFollowAllIsBoundedAndFollowsWhatIsWantedNow(t *testing.T) {
	m := New(func(source.Ref) Reader {
		return Entrypoints("", func(context.Context, func(string, io.Reader) error) ([]string, error) { return nil, nil }, nil)
	})
	m.every = time.Millisecond
	var refs []source.Ref
	for i := range MaxFollowed + 5 {
		refs = append(refs, source.Ref{Name: fmt.Sprint("v", i)})
	}
	ctx, end := context.WithCancel(t.Context())
	wanted, intervals := refs, 0
	require.NoError(t, m.FollowAll(ctx, func() []source.Ref { return wanted }, func() {
		followed := 0
		for _, ref := range refs {
			followed += m.looking(ref)
		}
		switch {
		case len(wanted) > 1 && followed == MaxFollowed:
			wanted = refs[MaxFollowed:][:1]
		case len(wanted) == 1 && followed == 1 && m.looking(wanted[0]) == 1:
			end()
		}
		intervals++
	}))
	require.Positive(t, intervals)
	for _, ref := range refs {
		require.Zero(t, m.looking(ref))
	}
}

func TestLoadsAreOfAllWorkflows(t *testing.T) {
	known, idle, failed := source.Ref{Name: "known"}, source.Ref{Name: "idle"}, source.Ref{Name: "failed"}
	m := New(nil)
	m.watched[known] = &watched{now: &source.Numbers{Workflows: map[string]*source.WorkflowNumbers{
		"a": {Load: source.Load{PerSecond: 2, Errors: 1, P50: 3, P95: 4}},
		"b": {Load: source.Load{PerSecond: 1, P50: 1, P95: 9}},
	}}}
	m.watched[idle] = &watched{now: &source.Numbers{}}
	m.watched[failed] = &watched{now: &source.Numbers{}, err: io.EOF}
	require.Equal(t, map[source.Ref]source.Load{known: {PerSecond: 3, Errors: 1, P50: 3, P95: 9}, idle: {}},
		m.Loads([]source.Ref{known, idle, failed, {Name: "unknown"}}))
}
