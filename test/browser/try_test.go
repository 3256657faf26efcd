package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

func TestTryCallsAWorkflow(t *testing.T) {
	v := priceEstimator(t)
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of(ready.Version, "try?workflow=ny-room-price"))
	p.awaitRole("heading", "Try")
	require.Equal(t, "Queens", eval[string](p, "document.getElementById('f:borough').value"), "the bundle's own example")
	p.fill("[id='f:accommodates']", "4")
	p.press("button", "Show as JSON")
	p.await(`document.getElementById('try-json').value.includes('"accommodates": 4')`)

	p.press("button", "Send")
	p.awaitText("#try-result", "OK")
	require.Contains(t, p.text("#try-result"), "EUR")
	for _, node := range []string{"etl", "model", "output"} {
		require.True(t, p.has("rowheader", node), node)
	}
	require.Equal(t, "try-result-title", eval[string](p, "document.activeElement.id"), "a screen reader reads the response next")
	require.Contains(t, p.text("#try-result"), "what each node received and returned")

	p.fill("[id='f:accommodates']", "many")
	p.press("button", "Send")
	p.awaitText("#try-form", "accommodates")
	p.awaitRole("alert", "")
	require.Empty(t, p.text("#try-result"), "nothing is sent that is not a message")

	p.do(chromedp.SetValue(chromedp.CSS(".try-choose select"), "save-metrics"))
	p.await("location.search === '?workflow=save-metrics'")
	p.awaitText(".try-choose", "Entrypoint/SaveMetric")

	p.open(v.of(ready.Version, "try?workflow=ny-room-price"))
	p.fill("#try-json", `{"borough": "Brooklyn", "bedrooms": 2}`)
	p.press("button", "Fill the fields from it")
	p.await("document.getElementById('f:borough').value === 'Brooklyn' && document.getElementById('f:accommodates').value === ''")
	p.press("button", "Send this JSON")
	p.awaitText("#try-result", "OK")
}

// Without scripts the form is sent as forms are, and the page comes back with the response.
func TestTryWithoutScripts(t *testing.T) {
	v := run(t, scene(t))
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.scripts(false)
	p.open(v.of(ready.Version, "try"))
	p.fill("[id='f:']", "New York <b>")
	p.press("button", "Send")
	p.awaitText("#try-result", `"New York <b>"`)
	require.True(t, strings.HasSuffix(eval[string](p, "location.pathname"), "/try"))
}

func TestTryShowsWhyACallFailed(t *testing.T) {
	dir := scene(t)
	flagNode(t, dir, "model", "wait", true)
	v := run(t, dir)
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "try"))
	p.awaitText("main", "The version has not started yet.")
	flagNode(t, dir, "model", "wait", false)
	v.await("ready")
	flagNode(t, dir, "model", "crash", true)
	p.open(v.of("scene-v1", "try"))
	p.fill("[id='f:']", "x")
	p.press("button", "Send")
	p.awaitText("#try-result", "UNAVAILABLE")
	p.awaitText("#try-result", "node model")
}
