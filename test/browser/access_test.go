package browser

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// faults is a script that lists what a page has of wrong structure: headings, ids, images, and text
// with less contrast to its background than WCAG 2.2 AA asks for. What is disabled may have less.
const faults = `(() => {
	const faults = [], shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
	const headings = [...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].filter(shown).map((e) => [+e.tagName[1], e.innerText]);
	if (headings.filter(([level]) => level === 1).length !== 1) faults.push('not one h1: ' + JSON.stringify(headings));
	headings.forEach(([level, text], i) => {
		if (level > (headings[i - 1]?.[0] ?? 0) + 1) faults.push('a heading skips a level: ' + text);
	});
	const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
	for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) faults.push('twice the id ' + id);
	for (const e of document.querySelectorAll('[aria-labelledby],[aria-describedby]')) {
		for (const id of ((e.getAttribute('aria-labelledby') ?? '') + ' ' + (e.getAttribute('aria-describedby') ?? '')).trim().split(/\s+/)) {
			if (!document.getElementById(id)) faults.push('no element with the id ' + id);
		}
	}
	for (const e of document.querySelectorAll('img:not([alt])')) faults.push('an image without alt: ' + e.src);
	for (const e of document.querySelectorAll('svg')) {
		const named = e.closest('[aria-hidden=true]') || e.getAttribute('aria-label');
		if (!named) faults.push('a drawing without a name: ' + e.outerHTML.slice(0, 80));
	}
	const brush = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
	const rgba = (colour) => {
		brush.clearRect(0, 0, 1, 1);
		brush.fillStyle = colour;
		brush.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
		return [r, g, b, a / 255];
	};
	const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a)).concat(1);
	const behind = (e) => {
		if (!e) return [255, 255, 255, 1];
		const own = rgba(getComputedStyle(e).backgroundColor);
		return own[3] === 1 ? own : over(own, behind(e.parentElement));
	};
	const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const seen = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node = walk.nextNode(); node; node = walk.nextNode()) {
		const e = node.parentElement;
		if (!node.data.trim() || !shown(e) || seen.has(e) || e.closest('[disabled],.sr,script,datalist')) continue;
		seen.add(e);
		const style = getComputedStyle(e), back = behind(e);
		let opacity = 1;
		for (let up = e; up; up = up.parentElement) opacity *= getComputedStyle(up).opacity;
		const ink = rgba(e.closest('svg') ? style.fill : style.color);
		const [a, b] = [light(over([...ink.slice(0, 3), ink[3] * opacity], back)), light(back)];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		const text = node.data.trim().slice(0, 40) + ' (' + e.className + ')';
		if (ratio < (large ? 3 : 4.5)) faults.push('contrast ' + ratio.toFixed(2) + ' of ' + text);
	}
	for (const e of document.querySelectorAll('input:not([type=hidden],[type=checkbox]),select,textarea')) {
		const [a, b] = [light(over(rgba(getComputedStyle(e).borderTopColor), behind(e))), light(behind(e.parentElement))];
		if (shown(e) && (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 3) faults.push('the edge of the field ' + e.name + ' is too pale');
	}
	return faults;
})()`

// tooWide is a script that says what makes the page wider than the screen.
const tooWide = `(() => {
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth <= width) return '';
	return [...document.querySelectorAll('main *, header *')]
		.filter((e) => !e.closest('nav,.scroll,.inner') && e.getBoundingClientRect().right > width)
		.map((e) => e.outerHTML.slice(0, 100))[0] ?? 'something';
})()`

// unnamed returns the controls that a screen reader has no name for.
func (p *page) unnamed() (roles []string) {
	p.t.Helper()
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	require.NoError(p.t, err)
	controls := map[string]bool{
		"link": true, "button": true, "textbox": true, "searchbox": true, "combobox": true, "checkbox": true, "radio": true,
		"spinbutton": true, "DisclosureTriangle": true, "image": true, "img": true, "region": true, "navigation": true,
	}
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil {
			continue
		}
		role := string(node.Role.Value)
		if len(role) > 2 && controls[role[1:len(role)-1]] && (node.Name == nil || string(node.Name.Value) == `""`) {
			roles = append(roles, role)
		}
	}
	return roles
}

// crowd is a source with versions in all states, and one with all that pages show.
func crowd() (*sourcetest.Memory, source.Version) {
	v := published()
	v.Since, v.Created = time.Now().Add(-50*time.Hour), time.Now().Add(-100*time.Hour)
	v.Nodes[1].State, v.Nodes[1].Reason, v.Nodes[1].Restarts = source.Failed, "CrashLoopBackOff", 7
	v.Nodes[1].Cause, v.Nodes[1].Next = "its container ended with exit code 137: out of memory", "see its log: kn krt logs a --node model"
	v.Nodes[2].State, v.Nodes[2].Reason = source.Starting, "ContainerCreating"
	v.Nodes[3].State, v.Nodes[3].Pods = source.Asleep, 0
	v.Workflows[0].State, v.Workflows[0].Cause = source.Failed, v.Nodes[1].Cause
	v.Workflows[1].State = source.Asleep
	v.State, v.Cause, v.Next = source.Failed, v.Nodes[1].Cause, v.Nodes[1].Next
	m := sourcetest.New(v)
	m.Reasons = map[source.Action]string{source.Delete: "It is published: unpublish it first."}
	for i, state := range []source.State{source.Ready, source.Asleep, source.Starting, source.Failed, source.Stopping, source.Stopped} {
		for j := range 4 {
			other := published()
			other.Name, other.Published, other.Phase = fmt.Sprintf("price-estimator-%d", 100-10*i-j), false, ""
			other.State, other.Created = state, time.Now().Add(-time.Duration(200+30*i+j)*time.Hour)
			other.Comment = "tried with the rooms of May"
			m.Set(other)
		}
	}
	long := published()
	long.Name, long.Description, long.Comment = strings.Repeat("n", 63), strings.Repeat("d", 200), strings.Repeat("c", 200)
	long.Nodes[0].Name, long.Workflows[0].Name = strings.Repeat("o", 63), strings.Repeat("w", 63)
	long.Workflows[0].Nodes = []string{long.Nodes[0].Name, "model"}
	m.Set(long)
	m.Declared = []source.ConfigEntry{{Name: "CURRENCY", Set: true}, {Name: "DATABASE_PASSWORD"}, {Name: "rooms.csv", File: true}}
	ago := func(hours int) time.Time { return time.Now().Add(-time.Duration(hours) * time.Hour) }
	m.Past = source.History{
		Events:       []source.Event{{Time: ago(50), What: "Published", Comment: "better"}, {Time: ago(99), What: "Started"}},
		Publications: []source.Publication{{Version: v.Name, From: ago(50)}, {Version: "price-estimator-100", From: ago(90), To: ago(50)}},
	}
	const text = "# Prices\n\nHow they are made.\n\n## Rooms\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
	m.Written = fstest.MapFS{"docs/README.md": {Data: []byte(text)}}
	m.Kept.Add(someRequests(v.Workflows[0].Name, 20)...)
	warned := &source.NodeNumbers{Load: source.Load{PerSecond: 2, Errors: .15, P50: 4 * time.Millisecond, P95: 9 * time.Millisecond}}
	m.Figures = &source.Numbers{At: time.Now(), Over: time.Minute, From: "the test", Workflows: map[string]*source.WorkflowNumbers{
		v.Workflows[0].Name: {Load: warned.Load, Nodes: map[string]*source.NodeNumbers{v.Nodes[0].Name: warned}},
	}}
	m.Divided = divided(m, v.Ref, source.Ref{Namespace: v.Namespace, Name: "price-estimator-100"})
	m.Differing = someDifferences(v.Workflows[0].Name)
	return m, v
}

// serveCrowd serves a dashboard of it, and returns its URL and the version with all that pages show.
func serveCrowd(t *testing.T) (home string, v source.Version) {
	t.Helper()
	m, v := crowd()
	creating := dashboard.Creating{Namespace: "team", Create: func(dashboard.Creation) (string, error) { return "", errors.New("no") }}
	return site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m), Title: "test", Creating: creating})), v
}

// Each page has one first heading and others in order, a name for each control, each id once, and
// text that is legible in both schemes; nothing is wider than the smallest phone.
func TestPagesAreAccessible(t *testing.T) {
	home, v := serveCrowd(t)
	at := home + "/ns/team/versions/" + v.Name
	pages := map[string]string{
		"versions": home, "failure": home + "/nothing", "create": home + "/create", "signed out": signIn(t),
		"stopped": home + "/ns/team/versions/price-estimator-50", "stopping": home + "/ns/team/versions/price-estimator-60",
		"starting": home + "/ns/team/versions/price-estimator-80",
	}
	for _, page := range []string{"", "/requests", "/logs", "/docs", "/config", "/try", "/history", "/compare", "/actions/stop"} {
		pages["long "+page] = home + "/ns/team/versions/" + strings.Repeat("n", 63) + page
	}
	for _, page := range []string{"", "?workflow=ny-room-price&node=model", "?workflow=save-metric&node=save-metric",
		"?workflow=ny-room-price&show=entrypoint", "/requests", "/logs", "/metrics", "/predictions", "/docs", "/config", "/try",
		"/history", "/compare", "/dashboards", "/traffic", "/actions/weight", "/actions/promote",
		"/actions/stop", "/actions/delete", "/actions/publish"} {
		pages["page "+page] = at + page
	}
	p := newPage(t, desktop)
	for _, expected := range []string{"net::ERR_", "401", "404", "409"} {
		p.allow(expected)
	}
	for name, url := range pages {
		p.see(desktop)
		p.open(url)
		p.awaitRole("main", "")
		assert.Empty(t, eval[[]string](p, faults), name)
		assert.Empty(t, p.unnamed(), name)
		p.see(look{width: 320, height: 640, dark: true})
		assert.Empty(t, eval[[]string](p, faults), "%s, dark", name)
		assert.Empty(t, eval[string](p, tooWide), name)
	}
}

// signIn serves the page for pasting a token.
func signIn(t *testing.T) string {
	t.Helper()
	return site(t, guard.Site(guard.Loopback(), guard.Bearer(guard.BearerOptions{Command: "kubectl create token me"}, nil)))
}

// The page for pasting a token has its style, in spite of a policy that lets none be loaded.
func TestSignInHasItsStyle(t *testing.T) {
	p := newPage(t, desktop)
	p.allow("401")
	p.open(signIn(t))
	p.awaitRole("textbox", "Token")
	require.Equal(t, "6px", eval[string](p, "getComputedStyle(document.querySelector('main')).borderRadius"))
}

// Numbers change every few seconds: a screen reader is told of states only.
func TestNumbersAreNotReadOut(t *testing.T) {
	v := published()
	m := sourcetest.New(v)
	number := func(n float64) {
		m.SetFigures(&source.Numbers{At: time.Now(), Over: time.Minute, From: "the test", Workflows: map[string]*source.WorkflowNumbers{
			"ny-room-price": {Load: source.Load{PerSecond: n, P95: time.Second}},
		}})
	}
	number(1)
	p := show(t, m, v, "")
	p.awaitText("#workflow-1", "1/s")
	eval[bool](p, `window.said = [], new MutationObserver((all) => said.push(...all.map((m) => m.target).filter((e) =>
		(e.nodeType === 1 ? e : e.parentElement)?.closest('[aria-live]:not([aria-live=off]),[role=status],[role=alert]'))))
		.observe(document.body, { subtree: true, childList: true, characterData: true }), true`)
	number(7)
	p.awaitText("#workflow-1", "7/s")
	require.Empty(t, eval[[]string](p, "said.map((e) => (e.outerHTML ?? e.data))"))
	v.Phase, v.Published = "Started", false
	m.Set(v)
	p.await("said.length > 0")
}

// Tab leads from the skip link through the column to the picture, whose nodes open by Enter.
func TestKeyboardOnThePicture(t *testing.T) {
	m, v := crowd()
	p := show(t, m, v, "")
	p.do(chromedp.KeyEvent("\t"))
	require.Equal(t, "Skip to the content", eval[string](p, "document.activeElement.innerText"))
	p.do(chromedp.KeyEvent(kb.Enter))
	p.await("document.activeElement.id === 'main'")
	var order []string
	for range 9 {
		p.do(chromedp.KeyEvent("\t"))
		require.NotEqual(t, "none", eval[string](p, "getComputedStyle(document.activeElement).outlineStyle"), "the focus is visible")
		order = append(order, eval[string](p, "document.activeElement.id || document.activeElement.innerText"))
	}
	require.Subset(t, order, []string{"Logs", "Requests", "Metrics", "workflow-1-flow-entry", "workflow-1-flow-1", "workflow-1-flow-2"})
}
