package browser

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/inspection"
)

// divided makes the second version the canary of the first, in the second step of a plan.
func divided(m *sourcetest.Memory, published, canary source.Ref) *source.Division {
	since := time.Now().Add(-4 * time.Minute)
	share := source.Share{Canary: true, Other: published.Name, Weight: 25, Mirror: 10, Planned: true}
	for _, one := range []struct {
		source.Ref
		source.Share
	}{{published, source.Share{Other: canary.Name, Weight: 75}}, {canary, share}} {
		v, err := m.Version(context.Background(), one.Ref)
		if err != nil {
			continue
		}
		changed := *v
		changed.Share = &one.Share
		m.Set(changed)
	}
	return &source.Division{Published: published, Canary: &source.Canary{
		Ref: canary, Share: share, Phase: "Progressing", Good: true,
		Verdict: "waiting: accuracy is known of 131 of 200 predictions",
		Steps: []source.PlanStep{
			{Weight: 5, For: 10 * time.Minute}, {Weight: 25, For: 20 * time.Minute}, {Weight: 50, For: 20 * time.Minute},
		},
		Step: 2, Since: since, PublishedRequests: 2911, CanaryRequests: 964, Fallbacks: 2, Mirrored: 289, Equal: 286,
		Values: []source.JudgedValue{
			{Name: "errorRatio", Published: "0.41 %", Canary: "0.31 %", Limit: "1.41 %", Verdict: "Good"},
			{Name: "p95", Published: "12.1 ms", Canary: "13.0 ms", Limit: "14.5 ms", Verdict: "Good"},
			{Name: "accuracy", Published: "91.2 %", Canary: "92.4 %", Limit: "89.2 %", Verdict: "Waiting"},
			{Name: "agreement", Canary: "99.0 %", Limit: "98 %", Verdict: "Good"},
		},
		Rules: []string{"The value of x-user-id decides which version a request gets."},
	}}
}

// someDifferences are pairs of responses that differ.
func someDifferences(workflow string) []inspection.Difference {
	at := time.Now().Add(-time.Minute)
	return []inspection.Difference{
		{ID: "4f1a2b3c", Workflow: workflow, Time: at, PublishedCode: "OK", CanaryCode: "OK", Fields: []inspection.Field{
			{Path: "price.amount", Published: "118.0", Canary: "121.5"}, {Path: `rates["eu"]`, Published: "absent", Canary: "0.93"},
		}},
		{ID: "5a1a2b3d", Workflow: workflow, Time: at.Add(-time.Minute), PublishedCode: "OK", CanaryCode: "DEADLINE_EXCEEDED"},
	}
}

// serveDivided serves a published version and its canary, and returns its URL with the first one's path.
func serveDivided(t *testing.T) (at string, m *sourcetest.Memory) {
	t.Helper()
	v := published()
	v.Name = "price-estimator-v1"
	canary := published()
	canary.Name, canary.Published, canary.Phase = "price-estimator-v2", false, "Started"
	m = sourcetest.New(v, canary)
	m.Divided = divided(m, v.Ref, canary.Ref)
	m.Differing = someDifferences(v.Workflows[0].Name)
	home := site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m), Title: "test"}))
	return home + "/ns/" + v.Namespace + "/versions/" + v.Name, m
}

func TestTrafficIsLive(t *testing.T) {
	at, m := serveDivided(t)
	p := newPage(t, look{width: 320, height: 640})
	p.open(at + "/traffic")
	p.awaitText("#division", "131 of 200 predictions")
	require.Empty(t, eval[string](p, tooWide))
	require.True(t, eval[bool](p, "(e => e.offsetWidth <= e.parentElement.clientWidth)(document.querySelector('.sides'))"),
		"both sides are seen on a small phone without scrolling")
	p.awaitText("[aria-current=step]", "now")

	before, err := m.Division(t.Context(), source.Ref{})
	require.NoError(t, err)
	after := *before.Canary
	after.Phase, after.Verdict, after.Good, after.Bad, after.Weight = "RolledBack", "errors: 5.0 % of 400, at most 1.4 %", false, true, 0
	m.SetDivision(&source.Division{Published: before.Published, Canary: &after})
	p.awaitText(".verdict", "RolledBack")
	p.awaitText("#division", "errors: 5.0 % of 400, at most 1.4 %")
	p.awaitText(".sides", "100 %")

	p.see(desktop)
	p.press("link", "Abort")
	p.awaitRole("heading", "Abort price-estimator-v2")
	p.press("button", "Abort")
	p.until("the order", func() bool { return len(m.Orders()) == 1 })
	require.Equal(t, source.Abort, m.Orders()[0].Action)
}
