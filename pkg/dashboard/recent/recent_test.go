package recent

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/dashboard/waterfall"
	"krt.dev/kn-krt/pkg/inspection"
)

func one(workflow string, ms float64, code string) inspection.Request {
	return inspection.Request{ID: fmt.Sprint(workflow, ms, code), Workflow: workflow, DurationMS: ms, Code: code}
}

func ids(list []inspection.Request) (all []string) {
	for _, r := range list {
		all = append(all, r.ID)
	}
	return all
}

func TestWhatIsKept(t *testing.T) {
	r := Of([]inspection.Request{one("b", 2, "OK"), one("b", 900, "INTERNAL"), one("a", 5, "OK")}) // newest first
	for ms := range 1000 {
		r.Add(one("b", float64(ms%7), "OK"))
	}
	r.Lose(3)
	r.Lose(4)
	v := r.View()
	require.Equal(t, 7, v.Lost)
	require.Len(t, v.Workflows, 2)
	require.Equal(t, Workflow{
		Name: "a", Seen: 1, Last: []inspection.Request{one("a", 5, "OK")}, Slowest: []inspection.Request{one("a", 5, "OK")},
	}, v.Workflows[0])
	b := v.Workflows[1]
	require.Equal(t, []int{1002, 1}, []int{b.Seen, b.Failed})
	require.Len(t, b.Last, maxLast)
	require.Equal(t, []string{"b5OK", "b4OK"}, ids(b.Last)[:2])
	require.Equal(t, []string{"b900INTERNAL"}, ids(b.Failures), "it is kept although it is not among the last")
	require.Equal(t, []string{"b900INTERNAL", "b6OK"}, ids(b.Slowest)[:2])
	require.Len(t, b.Slowest, maxSlowest)
}

func TestWorkBehindAnEarlyReply(t *testing.T) {
	r := &Requests{}
	r.Add(one("a", 1, "OK"))
	rest := one("a", 900, "INTERNAL")
	rest.Background = true
	r.Add(rest)
	w := r.View().Workflows[0]
	require.Equal(t, []int{1, 0}, []int{w.Seen, w.Failed})
	require.Equal(t, []string{"a900INTERNAL", "a1OK"}, ids(w.Last))
	require.Equal(t, []string{"a900INTERNAL"}, ids(w.Failures))
	require.Equal(t, []string{"a1OK"}, ids(w.Slowest))
}

// A view does not change with what comes later.
func TestViewIsACopy(t *testing.T) {
	r := Of([]inspection.Request{one("a", 1, "OK")})
	v := r.View()
	r.Add(one("a", 2, "OK"))
	require.Equal(t, []string{"a1OK"}, ids(v.Workflows[0].Last))
	require.Equal(t, []string{"a1OK"}, ids(v.Workflows[0].Slowest))
}

func TestNamesAreBounded(t *testing.T) {
	r := &Requests{}
	for i := range 1000 {
		r.Add(one(fmt.Sprint(i), 1, "OK"))
	}
	require.LessOrEqual(t, len(r.View().Workflows), maxWorkflows+1)
}

// What cannot be asked is known before the first requests are shown, and is still said then.
func TestNotesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := sourcetest.New()
		m.Kept.Notes = []string{"the entrypoint in pod a-1 is older"}
		ctx, cancel := context.WithTimeout(t.Context(), 3*settled)
		defer cancel()
		f := NewFeed()
		f.Follow(ctx, Version{Source: m, Ref: source.Ref{Namespace: "team", Name: "a"}}, inspection.Filter{}, func() {})
		require.False(t, f.State().Waiting)
		require.Equal(t, m.Kept.Notes, f.State().Notes)
	})
}

// Bars of a list have one scale, and an early exit names its node.
func TestOneScale(t *testing.T) {
	slow, exit := one("a", 100, "OK"), one("a", 10, "OK")
	slow.Steps = []inspection.Step{{Node: "etl", RunMS: 100, Outcome: "ok"}}
	exit.Early, exit.Steps = "exit", []inspection.Step{{Node: "model", RunMS: 10, Outcome: "exit"}}
	lister := Lister{Draw: waterfall.New(), Path: func(string) string { return "" }}
	lists, err := lister.Lists(&Workflow{Last: []inspection.Request{slow, exit}})
	require.NoError(t, err)
	last := lists[2]
	require.Equal(t, "100.0\u00a0ms", last.Scale)
	require.Contains(t, string(last.Rows[0].Steps), `width="100%"`)
	require.Contains(t, string(last.Rows[1].Steps), `width="10%"`)
	require.Equal(t, "early exit at model", last.Rows[1].How)
}
