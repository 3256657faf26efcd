package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/inspection"
)

// dividedExample is a source with a published version a-1 and its canary b-1, which a plan walks.
func dividedExample() *sourcetest.Memory {
	published, canary := publishedExample("a-1"), example("b-1", source.Ready)
	published.Share = &source.Share{Other: "b-1", Weight: 75}
	share := source.Share{Canary: true, Other: "a-1", Weight: 25, Mirror: 50, Planned: true}
	canary.Share = &share
	m := sourcetest.New(published, canary)
	m.Divided = &source.Division{
		Published: published.Ref,
		Canary: &source.Canary{
			Ref: canary.Ref, Share: share, Phase: "Progressing", Verdict: "waiting: 37 of 100 requests", Good: true,
			Steps: []source.PlanStep{{Weight: 5, For: 10 * time.Minute}, {Weight: 25, For: 20 * time.Minute}, {Weight: 50, For: 20 * time.Minute}},
			Step:  2, Since: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
			PublishedRequests: 111, CanaryRequests: 37, Fallbacks: 3, Mirrored: 60, Equal: 57,
			Values: []source.JudgedValue{
				{Name: "errorRatio", Published: "0.9 %", Canary: "0.0 %", Limit: "1.9 %", Verdict: "Good"},
				{Name: "p95", Published: "12 ms", Canary: "31 ms", Limit: "14 ms", Verdict: "Bad"},
				{Name: "cost", Canary: "0.04", Limit: "0.1", Verdict: "Waiting"},
			},
			Rules: []string{"Requests with x-krt-version: b-1 go to b-1."},
		},
	}
	m.Differing = []inspection.Difference{{
		ID: "4f1a2b3c", Canary: "b-1", Workflow: "predict", Method: "price.Estimator/Predict",
		Time: time.Date(2026, 11, 28, 12, 5, 0, 0, time.UTC), PublishedCode: "OK", CanaryCode: "OK",
		Fields: []inspection.Field{{Path: "price.amount", Published: "120.5", Canary: hostile}},
	}}
	return m
}

const atB = "/ns/team/versions/b-1"

func TestTrafficShowsBothSides(t *testing.T) {
	server := serve(t, dividedExample())
	for _, at := range []string{atA, atB} {
		status, page := get(t, server, at+"/traffic")
		require.Equal(t, http.StatusOK, status)
		for _, want := range []string{
			"<span>Progressing</span></span> <span>waiting: 37 of 100 requests</span>",
			`aria-current="step"><strong>25 %</strong> <span class="sub">for 20m</span> <span class="sub">now</span>`,
			`<strong>50 %</strong> <span class="sub">for 20m</span> <span class="sub">to come</span>`,
			`aria-label="a-1 75 %, b-1 25 %"`,
			`25 %<span class="sub">and copies of 50 %</span>`,
			`<th scope="row">Requests</th><td class="number">111</td><td class="number">37</td>`,
			`<th scope="row">Errors</th><td class="number">0.9 %</td><td class="number">0.0 %<span class="sub">limit 1.9 %</span>`,
			"<span>within the limit</span>", "<span>exceeds the limit</span>", "<span>not judged yet</span>", "57 of 60",
			"Requests with x-krt-version: b-1 go to b-1.",
			`<a class="button primary" href="/_krt/ns/team/versions/b-1/actions/promote">Promote</a>`,
			`href="/_krt/ns/team/versions/b-1/actions/abort">Abort</a>`, `actions/pause">Pause</a>`,
			`<th scope="row" class="mono">price.amount</th><td class="mono">120.5</td>`,
			`<a href="/_krt/ns/team/versions/a-1/requests/4f1a2b3c">`,
		} {
			require.Contains(t, page, want)
		}
		require.NotContains(t, page, "<script>alert")
		require.NotContains(t, page, "actions/resume")
		require.NotContains(t, page, "actions/weight")
	}
	_, page := get(t, server, "/")
	require.Contains(t, page, `<span class="tag">75 %</span>`)
	require.Contains(t, page, `<span class="tag">canary 25 %</span>`)
}

func TestAPairThatCannotBeComparedSaysWhy(t *testing.T) {
	m := dividedExample()
	m.Differing = []inspection.Difference{{
		ID: "4f1a2b3c", Canary: "b-1", Workflow: "predict", PublishedCode: "OK", CanaryCode: "OK",
		Note: "cannot decode the response of the canary: " + hostile,
	}}
	_, page := get(t, serve(t, m), atA+"/traffic")
	require.Contains(t, page, `<span class="sub">not compared</span>`)
	require.Contains(t, page, "<p>cannot decode the response of the canary: ")
	require.NotContains(t, page, "0 fields")
	require.NotContains(t, page, "<script>alert")
}

func TestTrafficWithoutACanary(t *testing.T) {
	m := dividedExample()
	m.Divided = &source.Division{Published: source.Ref{Namespace: "team", Name: "a-1"}}
	_, page := get(t, serve(t, m), atA+"/traffic")
	require.Contains(t, page, "a-1 gets all requests: no version is a canary.")
	m.Divided = &source.Division{}
	_, page = get(t, serve(t, m), atA+"/traffic")
	require.Contains(t, page, "Nothing is published in team.")
}

func TestARunOnThisMachineHasNoTraffic(t *testing.T) {
	m := sourcetest.New(example("a-1", source.Ready))
	server := serve(t, m, func(o *Options) { o.One = true })
	_, page := get(t, server, atA)
	require.NotContains(t, page, atA+"/traffic")
	status, _ := get(t, server, atA+"/traffic")
	require.Equal(t, http.StatusNotImplemented, status)
}

func TestTheCanaryIsChangedByItsButtons(t *testing.T) {
	m := dividedExample()
	server := serve(t, m)
	_, page := get(t, server, atB+"/actions/promote")
	require.Contains(t, page, "Clients of the runtime reach b-1 instead of a-1, which stays started.")
	require.Contains(t, page, "the reason, kept in the history")
	_, page = get(t, server, atB+"/actions/abort")
	require.Contains(t, page, "the reason, kept in the Runtime until its next change")
	_, page = get(t, server, atB)
	require.NotContains(t, page, "actions/publish", "a canary is promoted")
	require.Equal(t, 2, strings.Count(page, "Promote or abort it first."), "stop and delete")
	_, page = get(t, server, atA)
	require.Contains(t, page, "Promote or abort its canary b-1 first.")

	for action, form := range map[source.Action]url.Values{
		source.Promote: {"old": {"a-1"}, "new": {"b-1"}}, source.Abort: {}, source.Pause: {}, source.Resume: {},
		source.Weigh: {"weight": {"40"}},
	} {
		response, _ := post(t, server, atB+"/actions/"+string(action), form)
		require.Equal(t, http.StatusSeeOther, response.StatusCode, action)
	}
	weights := map[source.Action]int{}
	for _, o := range m.Orders() {
		weights[o.Action] = o.Weight
	}
	require.Equal(t, map[source.Action]int{source.Promote: 0, source.Abort: 0, source.Pause: 0, source.Resume: 0, source.Weigh: 40}, weights)

	for _, weight := range []string{"", "-1", "101", "many"} {
		_, page := post(t, server, atB+"/actions/weight", url.Values{"weight": {weight}})
		require.Contains(t, page, "The weight must be a whole number from 0 to 100.")
	}
}

func TestRightsAreShownOnTheTrafficPage(t *testing.T) {
	m := dividedExample()
	m.Reasons = map[source.Action]string{source.Promote: "You may not patch runtimes.", source.Abort: "You may not patch runtimes."}
	_, page := get(t, serve(t, m), atA+"/traffic")
	require.Contains(t, page, `<button class="button" disabled title="You may not patch runtimes.">Promote</button>`)
	require.NotContains(t, page, "actions/abort")
}

func TestTheTrafficPageIsShownAlthoughRightsAreNotKnown(t *testing.T) {
	m := dividedExample()
	m.Unasked = errors.New("connection refused")
	status, page := get(t, serve(t, m), atA+"/traffic")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "waiting: 37 of 100 requests")
	require.Contains(t, page, `<p class="reason">What you may do is not known: connection refused</p>`)
	require.NotContains(t, page, "b-1/actions/promote")
}
