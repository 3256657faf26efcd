package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// What a run cannot do is disabled with the reason; its config and history are pages.
func TestPagesOfARun(t *testing.T) {
	v := run(t, scene(t))
	v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", ""))
	p.awaitText("body", "Running")
	p.do(chromedp.Click("#more-actions summary"))
	p.awaitRole("button", "Stop")
	require.True(t, eval[bool](p, "[...document.querySelectorAll('#side-actions button')].every(b => b.disabled)"))
	p.awaitText("#side-actions", "Stop the version with Ctrl-C in the terminal that started it.")
	p.press("link", "Configuration")
	p.awaitRole("heading", "Configuration")
	p.press("link", "History")
	p.awaitRole("heading", "History of scene-v1")
	p.press("link", "Compare with another version")
	p.awaitText("main", "There is no other version in local.")
	p.allow("404")
	p.open(v.dashboard + "nothing")
	p.awaitText("main", "this dashboard has no such page")
}

// The first tab stop leads past the column; filters work while somebody types, and are in the address.
func TestKeyboardAndFilters(t *testing.T) {
	v := run(t, scene(t))
	p := newPage(t, desktop)
	p.open(v.dashboard + "?all=1")
	p.awaitRole("link", "scene-v1")
	p.do(chromedp.KeyEvent("\t"))
	require.Equal(t, "Skip to the content", eval[string](p, "document.activeElement.innerText"))
	p.do(chromedp.Focus("input[name=q]"), chromedp.KeyEvent("nothing like it"))
	p.awaitText("main", "No version matches the filters.")
	require.Contains(t, eval[string](p, "location.search"), "q=nothing+like+it")
	require.Equal(t, "q", eval[string](p, "document.activeElement.name"), "the focus stays")
	p.press("link", "Show all")
	p.awaitRole("link", "scene-v1")
}

// Nothing is wider than the screen of a small phone.
func TestNarrow(t *testing.T) {
	v := run(t, scene(t))
	v.await("ready")
	p := newPage(t, look{width: 320, height: 640})
	p.open(v.dashboard)
	for _, path := range []string{v.dashboard, v.of("scene-v1", ""), v.of("scene-v1", "config"), v.of("scene-v1", "history"),
		v.of("scene-v1", "compare"), v.of("scene-v1", "actions/stop")} {
		p.open(path)
		p.awaitRole("main", "")
		require.LessOrEqual(t, eval[int](p, "document.documentElement.scrollWidth"), 320, path)
	}
}
