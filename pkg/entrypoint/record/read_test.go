package record_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/record"
	"krt.dev/kn-krt/pkg/runner/event"
)

// begin is when the requests of these tests begin; they take 100 ms.
func begin() time.Time { return time.UnixMicro(1714979289000000).UTC() }

// entry is a step of node that starts start after the request, which may be negative.
func entry(node string, start, wait, run time.Duration) event.Step {
	return event.Step{Node: node, Start: begin().Add(start), Wait: wait, Run: run, SpanID: [8]byte{1}}
}

// TestStepsAreWithinTheirRequest: whatever the clocks of nodes show.
func TestStepsAreWithinTheirRequest(t *testing.T) {
	const ms, hour = time.Millisecond, time.Hour
	for name, c := range map[string]struct{ in, want event.Step }{
		"within":           {entry("a", 10*ms, 5*ms, 20*ms), entry("a", 10*ms, 5*ms, 20*ms)},
		"a clock behind":   {entry("a", -hour, 5*ms, 20*ms), entry("a", 0, 5*ms, 20*ms)},
		"a clock ahead":    {entry("a", hour, 5*ms, 20*ms), entry("a", 75*ms, 5*ms, 20*ms)},
		"too long a run":   {entry("a", 10*ms, 5*ms, hour), entry("a", 0, 5*ms, 95*ms)},
		"too long a wait":  {entry("a", 10*ms, hour, hour), entry("a", 0, 100*ms, 0)},
		"ends too late":    {entry("a", 90*ms, 0, 20*ms), entry("a", 80*ms, 0, 20*ms)},
		"nothing measured": {entry("a", 10*ms, 0, 0), entry("a", 10*ms, 0, 0)},
	} {
		got := record.Read(nil, event.Steps("").Append(c.in), []string{"a"}, begin(), begin().Add(100*ms))
		require.Equal(t, []record.Step{c.want}, got, name)
	}
	got := record.Read(nil, event.Steps("").Append(entry("a", 0, ms, ms)), []string{"a"}, begin(), begin().Add(-ms))
	require.Equal(t, []time.Duration{0, 0}, []time.Duration{got[0].Wait, got[0].Run}, "a clock that was set back")
}

func TestStepsOfOtherNodesAreLeftOut(t *testing.T) {
	var s event.Steps
	for _, node := range []string{"other", "a", "x", "b", "a"} {
		s = s.Append(entry(node, 0, 0, 0))
	}
	room := []record.Step{{Node: "first"}}
	got := record.Read(room, s, []string{"a", "b"}, begin(), begin())
	require.Equal(t, "[first a b a]", fmt.Sprint(names(got)))
}

func names(steps []record.Step) (all []string) {
	for _, s := range steps {
		all = append(all, s.Node)
	}
	return all
}

func TestAfterIsWhatIsNew(t *testing.T) {
	one, running := entry("a", 0, 0, 0), entry("b", 0, 0, 0)
	running.SpanID, running.Outcome = [8]byte{2}, event.OutcomeReply
	ended := running
	ended.Outcome = event.OutcomeOK
	seen := event.Steps("").Append(one).Append(running)
	require.Equal(t, []record.Step{ended}, record.After([]record.Step{one, ended}, seen))
	require.Empty(t, record.After([]record.Step{one, running}, seen))
	require.Equal(t, []record.Step{one}, record.After([]record.Step{one}, ""))
}

func TestUnendedIsWhatNobodyReportedTheEndOf(t *testing.T) {
	one, running := entry("a", 0, 0, 0), entry("b", 0, 0, 0)
	running.SpanID, running.Outcome = [8]byte{2}, event.OutcomeReply
	ended, again := running, running
	ended.Outcome, again.SpanID = event.OutcomeError, [8]byte{3}
	require.Equal(t, []record.Step{running}, record.Unended([]record.Step{one, running, running}, []record.Step{again}))
	require.Empty(t, record.Unended([]record.Step{one, running}, []record.Step{ended}))
	require.Empty(t, record.Unended([]record.Step{running, ended}, nil), "it had ended by then")
}

func TestACloneIsKept(t *testing.T) {
	r := &record.Record{ID: "1", Begin: begin(), End: begin().Add(time.Second)}
	r.Steps, r.Unended, r.Sends = []record.Step{{Node: "a"}}, []record.Step{{Node: "a"}}, []record.Send{{Node: "a"}}
	c := r.Clone()
	require.Equal(t, r, c)
	r.Steps[0].Node, r.Unended[0].Node, r.Sends[0].Node = "b", "b", "b"
	require.Equal(t, []string{"a", "a", "a"}, []string{c.Steps[0].Node, c.Unended[0].Node, c.Sends[0].Node})
	require.Equal(t, time.Second, c.Elapsed())
}
