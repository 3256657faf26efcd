package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARunIsSeenFromItsStart(t *testing.T) {
	dir := scene(t)
	flagNode(t, dir, "model", "wait", true)
	v := run(t, dir)
	p := newPage(t, desktop)
	p.open(v.dashboard)
	p.await("location.pathname.endsWith('/versions/scene-v1')") // it is the only one
	p.press("link", "All versions")
	p.awaitRole("heading", "Versions")
	p.awaitText("main", "Starting")
	p.press("link", "scene-v1")
	p.await("location.pathname.endsWith('/versions/scene-v1')")
	p.awaitText("main", "model")
	flagNode(t, dir, "model", "wait", false)
	v.await("ready")
	p.awaitText("body", "Running")
}

func TestANodeThatDoesNotStartIsShownWithItsCause(t *testing.T) {
	dir := scene(t)
	flagNode(t, dir, "model", "wait", true)
	flagNode(t, dir, "model", "crash", true)
	v := run(t, dir)
	p := newPage(t, desktop)
	p.allow("net::ERR_CONNECTION_REFUSED") // of the stream, when the run has ended
	p.open(v.of("scene-v1", ""))
	p.awaitText("body", "Starting")
	flagNode(t, dir, "model", "wait", false)
	p.awaitText("body", "Failed")
	p.awaitText("body", `node "model" did not start: exit status 5`)
	p.awaitText("body", "panic: <b>no model</b> at /models/price")
	v.await("stopped")
}

// A crashing node turns red with its cause, and green again when its code is saved.
func TestACrashingNode(t *testing.T) {
	dir := scene(t)
	v := run(t, dir)
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", ""))
	p.awaitText("body", "Running")
	flagNode(t, dir, "model", "crash", true)
	status, _ := ready.send(t, "scene.Entrypoint/Predict", `"New York"`)
	require.NotEqual(t, http.StatusOK, status)
	p.awaitText("main", "Failed")
	p.awaitText("main", "The process of node model ended (exit status 5); its last line was: panic: <b>no model</b> at /models/price.")

	p.awaitText("main", "correct its code: it is started again when the file is saved.")
	saveNode(t, dir, "model")
	v.await("reloaded")
	p.until("all ready", func() bool {
		return !strings.Contains(p.text("body"), "Failed") && strings.Contains(p.text("body"), "Running")
	})
}

// The version of the original's picture, as it runs on this machine: two cards with four nodes.
func TestTheOriginalsVersionOnThisMachine(t *testing.T) {
	v := priceEstimator(t)
	ready := v.await("ready")
	p := newPage(t, desktop)
	p.open(v.of(ready.Version, ""))
	for _, workflow := range []string{"ny-room-price", "save-metrics"} {
		p.awaitText("#cards", workflow)
	}
	require.Equal(t, 2, eval[int](p, `document.querySelectorAll('.flow-card').length`))
	require.Equal(t, 4, eval[int](p, `document.querySelectorAll('.spot.node').length`))
	require.False(t, eval[bool](p, filled), "nothing is published on this machine")
	p.awaitText("#side-version", "Running")
	require.True(t, eval[bool](p, "[...document.querySelectorAll('#side-actions button')].every(b => b.disabled)"))
	require.Contains(t, eval[string](p, "document.getElementById('side-actions').textContent"),
		"Stop the version with Ctrl-C in the terminal that started it.")
}
