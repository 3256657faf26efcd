package meter

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

func TestChartOfWhatIsKept(t *testing.T) {
	ref, at := source.Ref{Name: "v1"}, time.Unix(1000, 0)
	m := New(nil)
	require.Empty(t, m.Chart(ref, source.Span{}).Times)
	one := func(after time.Duration, workflow string, p95 time.Duration) source.Numbers {
		return source.Numbers{At: at.Add(after), Workflows: map[string]*source.WorkflowNumbers{
			workflow: {Load: source.Load{PerSecond: 2, P95: p95}},
		}}
	}
	m.watched[ref] = &watched{past: []source.Numbers{
		one(-time.Hour, "old", 0), one(0, "a", time.Second), one(Interval, "b", 0), one(2*Interval, "a", time.Second),
	}}
	c := m.Chart(ref, source.Span{From: at, To: at.Add(time.Minute)})
	require.Equal(t, []time.Time{at, at.Add(Interval), at.Add(2 * Interval)}, c.Times)
	require.Len(t, c.Lines, 8)
	for _, l := range c.Lines {
		require.Len(t, l.Values, 3)
		switch {
		case l.Measure == source.Requests && l.Workflow == "a":
			require.True(t, l.Values[0] == 2 && math.IsNaN(l.Values[1]) && l.Values[2] == 2)
		case l.Measure == source.Requests:
			require.True(t, math.IsNaN(l.Values[0]) && l.Values[1] == 2 && math.IsNaN(l.Values[2]))
		case l.Measure == source.Slowest && l.Workflow == "b":
			require.True(t, math.IsNaN(l.Values[1]), "nothing was measured")
		}
	}
}
