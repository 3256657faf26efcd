package dashboard

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

const statusPath = "/ns/team/versions/a-1"

// started is a version whose entrypoint serves, one of whose nodes is asleep.
func started() source.Version {
	v := example("a-1", source.Ready)
	v.Entrypoint.State, v.Address, v.Web = source.Ready, "a-1.team.svc.cluster.local:9000", "http://a-1.team.svc.cluster.local"
	return v
}

func status(t *testing.T, v source.Version, query string) string {
	t.Helper()
	code, page := get(t, serve(t, sourcetest.New(v)), statusPath+query)
	require.Equal(t, 200, code)
	return page
}

func TestStatusShowsWhetherAVersionIsPublished(t *testing.T) {
	v := started()
	page := status(t, v, "")
	require.Contains(t, page, `class="spot entry state-ready"`)
	require.Contains(t, page, `class="card flow-card state-ready"`)
	v.Published = true
	page = status(t, v, "")
	require.Contains(t, page, `class="spot entry state-ready published"`)
	require.Contains(t, page, `class="card flow-card state-ready published"`)
}

func TestStatusShowsTheWholeGraphBeforeAnythingRuns(t *testing.T) {
	v := example("a-1", source.Stopped)
	v.Entrypoint.State, v.Nodes[1].State = source.Stopped, source.Stopped
	page := status(t, v, "")
	require.Contains(t, page, "Node etl, step 1 of 2: stopped")
	require.Contains(t, page, "Node model, step 2 of 2: stopped")
	require.NotContains(t, page, "Numbers appear")
	require.Contains(t, status(t, v, "?workflow=predict&show=entrypoint"), "none: the version is not started")
}

func TestStatusShowsACrashWithItsCauseAndTheNextCommand(t *testing.T) {
	v := started()
	n := &v.Nodes[0]
	n.State, n.Reason, n.Restarts = source.Failed, "CrashLoopBackOff", 4
	n.Cause, n.Next = "its container ended with exit code 1: boom", "see its log: kn krt logs a-1 --node etl"
	v.Workflows[0].State, v.Cause, v.Next = source.Failed, n.Cause, n.Next
	page := status(t, v, "?workflow=predict&node=etl")
	require.Contains(t, page, `class="card flow-card state-failed"`)
	require.Contains(t, page, "Node etl, step 1 of 2: failed: CrashLoopBackOff. its container ended with exit code 1: boom. 1 pod")
	require.Contains(t, page, `see its log: <span class="copyable"><code>kn krt logs a-1 --node etl</code>`)
	require.Contains(t, page, "<dt>Restarts</dt><dd>4</dd>")
	require.Contains(t, page, `<a class="button" href="/_krt/ns/team/versions/a-1/logs?node=etl">Logs</a>`)
}

func TestStatusPanels(t *testing.T) {
	v := started()
	v.Nodes[1].GPU, v.Nodes[1].Revision, v.Nodes[1].Source = true, "a-1-model-00002", "src/model.py"
	page := status(t, v, "?workflow=predict&node=model")
	require.Contains(t, page, `<h3 id="panel-title" tabindex="-1">Node model</h3>`)
	for name, text := range map[string]string{
		"Pods": "0: it is asleep and starts with the next request", "GPU": "needs one",
	} {
		require.Contains(t, page, fmt.Sprintf("<dt>%s</dt><dd>%s</dd>", name, text))
	}
	v.Nodes[1].GPUs = "2 × nvidia.com/gpu"
	page = status(t, v, "?workflow=predict&node=model")
	require.Contains(t, page, "<dt>GPU</dt><dd>needs 2 × nvidia.com/gpu</dd>")
	require.Contains(t, page, "the next request, needs 2 × nvidia.com/gpu.\"")
	for _, code := range []string{"src/model.py", "registry/model@sha256:2", "a-1-model-00002"} {
		require.Contains(t, page, "<code>"+code+"</code>")
	}
	require.Contains(t, page, `aria-current="true"`)

	page = status(t, v, "?workflow=predict&show=entrypoint")
	require.Contains(t, page, "Entrypoint of predict")
	for _, code := range []string{v.Address, v.Web, "price.Estimator/Predict"} {
		require.Contains(t, page, "<code>"+code+"</code>")
	}
	for _, query := range []string{"", "?workflow=predict", "?workflow=other&node=model", "?workflow=predict&node=other"} {
		require.NotContains(t, status(t, v, query), `id="panel"`, query)
	}
}

func TestPanelOfTheEntrypointHasCommandsToCopy(t *testing.T) {
	v := started()
	m := sourcetest.New(v)
	m.Protos = &source.Contract{Entry: "a.proto", Protos: map[string][]byte{"a.proto": []byte(`syntax = "proto3";
package price;
message House { int32 rooms = 1; }
service Estimator { rpc Predict(House) returns (House); }`)}}
	_, page := get(t, serve(t, m), statusPath+"?workflow=predict&show=entrypoint")
	for _, command := range []string{
		"curl http://a-1.team.svc.cluster.local/price.Estimator/Predict", "kn-krt invoke a-1 predict -n team -d &#39;{&#34;rooms&#34;",
	} {
		require.Contains(t, page, command)
	}
	require.Contains(t, page, `<button type="button" class="copy"`)
}

func TestStatusShowsNumbers(t *testing.T) {
	m := sourcetest.New(started())
	load := source.Load{PerSecond: 12, Errors: 1, P50: time.Millisecond, P95: 34 * time.Millisecond}
	m.Figures = &source.Numbers{
		At: time.Now(), Over: time.Minute, From: "the entrypoint", Missing: []string{"pod-1"},
		Workflows: map[string]*source.WorkflowNumbers{"predict": {Load: load, Nodes: map[string]*source.NodeNumbers{
			"etl": {Load: load, Waited: 5 * time.Millisecond, Retries: 2},
		}}},
	}
	server := serve(t, m)
	_, page := get(t, server, statusPath+"?workflow=predict&node=etl")
	require.Contains(t, page, "Numbers of the last 60\u00a0s, from the entrypoint. Those of 1 of its pods could not be read and are missing.")
	require.Contains(t, page, "<span>12/s</span>")
	require.Contains(t, page, "<dt>95 % within</dt><dd>34\u00a0ms</dd>")
	require.Contains(t, page, "<dt>Sent again</dt><dd>2/s</dd>")

	m.Figures, m.Unread = nil, errors.New("you may not reach its pods")
	_, page = get(t, server, statusPath)
	require.Contains(t, page, "There are no numbers: you may not reach its pods")
}

func TestStatusEscapesEverything(t *testing.T) {
	v := started()
	v.Cause, v.Next, v.Workflows[0].Cause, v.Workflows[0].Name = hostile, "do: kn krt logs "+hostile, hostile, hostile
	v.Nodes[0] = source.Node{
		Name: hostile, State: source.Failed, Reason: hostile, Cause: hostile, Next: hostile, Image: hostile, Revision: hostile, Source: hostile,
	}
	v.Workflows[0].Nodes = []string{hostile, "no such node"}
	page := status(t, v, "?workflow="+escaped(hostile)+"&node="+escaped(hostile))
	require.Contains(t, page, `id="panel"`)
	for _, markup := range []string{"<script>alert", "<img", "style=", "onerror='"} {
		require.NotContains(t, page, markup)
	}
}

func escaped(text string) string { return url.QueryEscape(text) }

func TestStatusWarnsOfANodeThatIsReadyAndFailsRequests(t *testing.T) {
	m := sourcetest.New(started())
	failing := &source.NodeNumbers{Load: source.Load{PerSecond: 0.2, Errors: 0.15}}
	well := &source.NodeNumbers{Load: source.Load{PerSecond: 0.2}}
	m.Figures = &source.Numbers{At: time.Now(), Over: time.Minute, From: "the entrypoint", Workflows: map[string]*source.WorkflowNumbers{
		"predict": {Nodes: map[string]*source.NodeNumbers{"etl": failing, "model": well}},
	}}
	d := serve(t, m)
	_, page := get(t, d, statusPath+"?workflow=predict&node=etl")
	require.Contains(t, page, `class="spot node state-ready warned"`)
	require.Contains(t, page, "⚠ 9 of 12 failed")
	require.Contains(t, page, "Node etl, step 1 of 2: ready. 9 of 12 requests failed in the last minute")
	require.Contains(t, page, `9 of 12 requests failed in the last minute: see the <a href="`+
		`/_krt/ns/team/versions/a-1/requests?failed=1&amp;node=etl&amp;workflow=predict">failed requests</a>`)
	_, page = get(t, d, statusPath+"?workflow=predict&node=model")
	require.NotContains(t, page, "see the <a")
}

// What a program has written is shown in its lines, as an error, wherever a cause is.
func TestOutputInACause(t *testing.T) {
	v := example("a-1", source.Ready)
	v.Cause = "node \"model\" did not start; its last output was:\n    def broken(:\n               ^\n  SyntaxError: " + hostile
	_, page := get(t, serve(t, sourcetest.New(v)), atA)
	require.Contains(t, page, `<pre class="output" tabindex="0" role="region" aria-label="Output">`+
		"  def broken(:\n             ^\nSyntaxError: ")
	require.Contains(t, page, `<div class="cause cause-failed" role="note">`)
	require.Contains(t, page, `<span class="sr">Error: </span>`)
	require.NotContains(t, page, "<script>alert")

	v.Cause = "its pod is starting"
	_, page = get(t, serve(t, sourcetest.New(v)), atA)
	require.Contains(t, page, `<div class="cause" role="note"><p>its pod is starting</p>`)
}
