package browser

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// published is the version of the original's picture: two workflows with four nodes.
func published() source.Version {
	v := source.Version{
		Ref: source.Ref{Namespace: "team", Name: "price-estimator-112"}, Description: "New Room Price predictions.",
		State: source.Ready, Phase: "Published", Published: true, Entrypoint: source.Entrypoint{State: source.Ready},
		Address: "active-entrypoint.team:9000", Web: "http://active-entrypoint.team",
	}
	for _, name := range []string{"etl", "model", "output", "save-metric"} {
		v.Nodes = append(v.Nodes, source.Node{Name: name, State: source.Ready, Pods: 1, GPU: name == "model"})
	}
	v.Workflows = []source.Workflow{
		{Name: "ny-room-price", State: source.Ready, Nodes: []string{"etl", "model", "output"}, Method: "roomprice.Entrypoint/MakePrediction"},
		{Name: "save-metric", State: source.Ready, Nodes: []string{"save-metric"}, Method: "roomprice.Entrypoint/SaveMetric"},
	}
	return v
}

// site serves a handler, and returns its URL.
func site(t *testing.T, handler http.Handler) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// show serves a dashboard on a source in memory, and opens the page of the version.
func show(t *testing.T, m *sourcetest.Memory, v source.Version, page string) *page {
	t.Helper()
	url := site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m)}))
	p := newPage(t, desktop)
	p.allow("net::ERR_")
	p.open(url + "/ns/" + v.Namespace + "/versions/" + v.Name + page)
	return p
}

// filled reports whether the entrypoints are drawn filled, by the fill that the browser computes.
const filled = `[...document.querySelectorAll('.spot.entry .body')].every(b => getComputedStyle(b).fill !== 'none')`

func TestUnpublishTurnsTheEntrypointIntoAnOutline(t *testing.T) {
	v := published()
	m := sourcetest.New(v)
	p := show(t, m, v, "")
	require.Equal(t, 2, eval[int](p, `document.querySelectorAll('.flow-card').length`))
	require.Equal(t, 4, eval[int](p, `document.querySelectorAll('.spot.node').length`))
	require.True(t, eval[bool](p, filled))
	p.awaitRole("link", "Entrypoint: published.")

	v.Published, v.Phase = false, "Started"
	m.Set(v)
	p.await("!" + filled)
	p.awaitRole("link", "Entrypoint: started.")
}

func TestNodesThatSleepAndCrash(t *testing.T) {
	v := published()
	m := sourcetest.New(v)
	p := show(t, m, v, "")
	v.Nodes[3].State, v.Nodes[3].Pods = source.Asleep, 0
	m.Set(v)
	p.awaitRole("link", "Node save-metric, step 1 of 1: asleep. no pods, it starts with the next request.")

	// The card's edge, and the node: both have the text colour of a failure.
	const red = `['#workflow-1', '#workflow-1 .spot:nth-child(3)'].every(css => {
		const e = document.querySelector(css), probe = document.createElement('i');
		probe.className = 'bad';
		document.querySelector('.flow').append(probe);
		const bad = getComputedStyle(probe).color;
		probe.remove();
		return getComputedStyle(e).color === bad;
	})`
	require.False(t, eval[bool](p, red))
	n := &v.Nodes[1]
	n.State, n.Reason, n.Cause = source.Failed, "CrashLoopBackOff", "its container ended: <b>boom</b>"
	n.Next = "see its log: kn krt logs a --node model"
	v.Workflows[0].State, v.Cause, v.Next = source.Failed, n.Cause, n.Next
	m.Set(v)
	p.await(red)
	p.awaitText("#cause", "its container ended: <b>boom</b>")
	p.awaitText("#workflow-1", "failed: CrashLoopBackOff")
}

// A panel opens by mouse and by keyboard without another page, stays while the page changes, is
// in the URL, and closes by Escape, after which the focus is on its node.
func TestPanelOfANode(t *testing.T) {
	v := published()
	m := sourcetest.New(v)
	p := show(t, m, v, "")
	eval[bool](p, "window.stays = true")
	p.press("link", "Node model, step 2 of 3: ready. 1 pod, needs a GPU.")
	p.awaitText("#panel", "Node model")
	p.await("document.activeElement.id === 'panel-title'")
	require.Equal(t, "?node=model&workflow=ny-room-price", eval[string](p, "location.search"))
	require.True(t, eval[bool](p, "window.stays"))

	v.Nodes[1].Restarts = 3
	m.Set(v)
	p.awaitText("#panel", "Restarts")
	p.await("document.activeElement.id === 'panel-title'")

	p.do(chromedp.KeyEvent(kb.Escape))
	p.await("!document.getElementById('panel')")
	p.await("document.activeElement.id === 'workflow-1-flow-2'")
	p.do(chromedp.KeyEvent(kb.Enter))
	p.awaitText("#panel", "Node model")
	eval[bool](p, "history.back() || true")
	p.await("!document.getElementById('panel')")
	require.True(t, eval[bool](p, "window.stays"))
}

// At 320 px nothing is wider than the page, whatever the number of nodes and length of names.
func TestPicturesFitIntoNarrowPages(t *testing.T) {
	v := published()
	for i := range 28 {
		name := "a-rather-long-name-" + string(rune('a'+i))
		v.Nodes = append(v.Nodes, source.Node{Name: name, State: source.Ready, Pods: 1})
		v.Workflows[0].Nodes = append(v.Workflows[0].Nodes, name)
	}
	p := show(t, sourcetest.New(v), v, "?workflow=ny-room-price&node=model")
	for _, width := range []int64{320, 768, 1280, 3840} {
		p.see(look{width: width, height: 900})
		p.await(fmt.Sprintf("innerWidth === %d && document.documentElement.scrollWidth <= %[1]d", width))
		const frame = `document.querySelector('.flow-frame')`
		p.await(frame + ".scrollWidth <= " + frame + ".clientWidth + 1") // else the picture is cut
	}
}

func TestChartsAreDrawn(t *testing.T) {
	v := published()
	m := sourcetest.New(v)
	now := time.Now().Truncate(time.Second)
	m.Drawn = &source.Chart{From: "Prometheus"}
	for i := range 60 {
		m.Drawn.Times = append(m.Drawn.Times, now.Add(time.Duration(i-60)*time.Minute))
	}
	for _, measure := range []source.Measure{source.Requests, source.Slowest} {
		for i, workflow := range []string{"ny-room-price", "save-metric"} {
			l := source.Line{Measure: measure, Workflow: workflow}
			for at := range 60 {
				l.Values = append(l.Values, float64(i+1)*(1+math.Sin(float64(at)/9)))
			}
			l.Values[20] = math.NaN()
			m.Drawn.Lines = append(m.Drawn.Lines, l)
		}
	}
	p := show(t, m, v, "/metrics?range=1h")
	p.await("document.querySelectorAll('.plot canvas').length === 2")
	p.awaitRole("table", "")
	p.awaitText("#chart-requests", "save-metric")
	p.awaitText("#chart-p95", "95 % within")
	p.await(`[...document.querySelectorAll('canvas')].every(c => c.width > 300)`)
	p.see(look{width: 360, height: 800, dark: true})
	p.await(`[...document.querySelectorAll('canvas')].every(c => c.clientWidth < 360 && c.width > 0)`)
	require.LessOrEqual(t, eval[int64](p, "document.documentElement.scrollWidth"), int64(360))
}
