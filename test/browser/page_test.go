package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const (
	// patience is how long anything in a page may take, unless a test needs longer.
	patience = 2 * time.Minute
	// interval is how often it is asked.
	interval = 20 * time.Millisecond
)

// page is a tab with cookies of its own.
type page struct {
	t   *testing.T
	ctx context.Context
	// patience is how long it may take to show what the test waits for, and to say what there is: a page that is busy responds late.
	patience time.Duration

	mu       sync.Mutex
	problems []string // what the console has of errors
	allowed  []string // texts of those that the test expects
}

// look is how a page is seen.
type look struct {
	width, height int64
	dark          bool
}

// desktop is the look of most tests.
var desktop = look{width: 1280, height: 800}

// newPage opens an empty tab. At the end the test fails if there were problems.
func newPage(t *testing.T, l look) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium.context(t), chromedp.WithNewBrowserContext())
	p := &page{t: t, ctx: ctx, patience: patience}
	t.Cleanup(func() {
		cancel()
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.problems) > 0 {
			t.Errorf("the page has problems:\n%s", strings.Join(p.problems, "\n"))
		}
	})
	console := chromedp.Console(ctx)
	go p.watch(console)
	p.see(l)
	return p
}

// watch collects problems until the tab is closed.
func (p *page) watch(console func(func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range console {
		if err != nil {
			return
		}
		switch m.Type {
		case chromedp.ConsoleError, chromedp.ConsoleWarning, chromedp.ConsoleException:
			p.problem(fmt.Sprintf("%s: %s (%s %s:%d)", m.Type, m.Text, m.Source, m.URL, m.Line))
		}
	}
}

func (p *page) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, allowed := range p.allowed {
		if strings.Contains(text, allowed) {
			return
		}
	}
	p.problems = append(p.problems, text)
}

// allow names a text of the console that is not a problem from now on, such as that of a request
// that is to fail.
func (p *page) allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, text)
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...))
}

// see changes the look.
func (p *page) see(l look) {
	p.t.Helper()
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	p.do(chromedp.EmulateViewport(l.width, l.height))
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	require.NoError(p.t, err)
}

// scripts turns the page's scripts off or on; the tests' own run anyway.
func (p *page) scripts(on bool) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	require.NoError(p.t, err)
}

// open loads a URL.
func (p *page) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// eval returns what a JavaScript expression is in the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	require.NoError(p.t, err, expression)
	return value
}

// until returns when a condition holds.
func (p *page) until(what string, holds func() bool) {
	p.t.Helper()
	limit := time.NewTimer(p.patience)
	defer limit.Stop()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			require.FailNow(p.t, "waited in vain for "+what, "the page has: %.4000s", eval[string](p, "document.body.innerText"))
		}
	}
}

// await returns when a JavaScript expression is true in the page.
func (p *page) await(expression string) {
	p.t.Helper()
	p.until(expression, func() bool {
		holds, _ := peek[bool](p, "Boolean("+expression+")")
		return holds
	})
}

// peek is eval, and false while a page is being left.
func peek[T any](p *page, expression string) (value T, there bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil && strings.Contains(err.Error(), "navigated") {
		return value, false
	}
	require.NoError(p.t, err, expression)
	return value, true
}

// text returns the visible text of the first element that a CSS selector finds, "" without one, or
// while a page is being left.
func (p *page) text(css string) string {
	p.t.Helper()
	text, _ := peek[string](p, "document.querySelector("+quote(css)+")?.innerText ?? ''")
	return text
}

// awaitText returns when the visible text of an element contains want.
func (p *page) awaitText(css, want string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in %s", want, css), func() bool { return strings.Contains(p.text(css), want) })
}

// has reports whether there is an element of that role and accessible name, as a screen reader
// would find it. An empty name is any.
func (p *page) has(role, name string) bool {
	p.t.Helper()
	return len(p.find(role, name)) > 0
}

// awaitRole returns when has is true.
func (p *page) awaitRole(role, name string) {
	p.t.Helper()
	p.until(role+" "+name, func() bool { return p.has(role, name) })
}

// press clicks the element of that role and name, which must come to exist, be visible, and stay in its
// place: what comes before it may still be coming.
func (p *page) press(role, name string) {
	p.t.Helper()
	x, y := -1., -1.
	p.until(role+" "+name+" to click", func() (there bool) {
		beforeX, beforeY := x, y
		x, y, there = p.middle(role, name)
		return there && x == beforeX && y == beforeY
	})
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, chromedp.MouseClickXY(x, y)))
}

// middle scrolls to the element of that role and name, and returns its middle. There is none
// while a page is being left, or an element replaced.
func (p *page) middle(role, name string) (x, y float64, there bool) {
	p.t.Helper()
	found := p.find(role, name)
	if len(found) == 0 {
		return 0, 0, false
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	id := found[0].BackendDOMNodeID
	if _, err := chromedp.Call(ctx, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: id}); err != nil {
		return 0, 0, false
	}
	quads, err := chromedp.Call(ctx, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: id})
	if err != nil || len(quads.Quads) == 0 {
		return 0, 0, false
	}
	q := quads.Quads[0] // x and y of four corners
	return (q[0] + q[4]) / 2, (q[1] + q[5]) / 2, true
}

// fill writes a text into a field in place of what it holds.
func (p *page) fill(css, text string) {
	p.t.Helper()
	const focus = "(e => { e.focus(); e.select(); return document.activeElement === e })"
	require.True(p.t, eval[bool](p, focus+"(document.querySelector("+quote(css)+"))"), css)
	_, err := chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text})
	require.NoError(p.t, err)
}

// find returns the nodes of the accessibility tree with that role and name.
func (p *page) find(role, name string) (found []*accessibility.Node) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, p.patience)
	defer cancel()
	document, there := peek[*runtime.RemoteObject](p, "document")
	if !there {
		return nil
	}
	result, err := chromedp.Call(ctx, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{
		ObjectID: document.ObjectID, AccessibleName: name, Role: role,
	})
	if err != nil { // the page is being left
		return nil
	}
	for _, node := range result.Nodes {
		if !node.Ignored {
			found = append(found, node)
		}
	}
	return found
}

// quote is a text as a JavaScript literal.
func quote(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		return `""` // impossible: it is a string
	}
	return string(data)
}
