package browser

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// rooms sends requests for rooms in some boroughs, which price-estimator measures.
func (e event) rooms(t *testing.T) {
	t.Helper()
	for i, borough := range []string{"Queens", "Brooklyn", "Manhattan", "Queens"} {
		status, _ := e.send(t, "roomprice.Entrypoint/MakePrediction", fmt.Sprintf(`{"borough": %q, "room_type": "Private room",
			"accommodates": %d, "bedrooms": 1, "bathrooms": 1, "beds": 1, "latitude": 40.73, "longitude": -73.86, "tv": true}`, borough, i%2+1))
		require.Equal(t, http.StatusOK, status)
	}
}

func TestDocumentationAndDashboardsOfAnExample(t *testing.T) {
	v := priceEstimator(t)
	ready := v.await("ready")
	ready.rooms(t)
	p := newPage(t, desktop)
	p.open(v.of(ready.Version, "docs"))
	p.awaitRole("heading", "Price of a room in New York")
	p.await("document.querySelector('.prose img').naturalWidth === 560")
	p.awaitRole("heading", "message roomprice.Request")
	p.press("link", "the model")
	p.awaitRole("heading", "The model")
	p.press("link", "what a request needs")
	p.await("location.hash === '#doc-what-a-request-needs'")

	p.press("link", "Dashboards")
	p.awaitRole("heading", "Mean price by borough")
	p.await("document.querySelectorAll('.cell canvas').length >= 1")
	p.awaitText("main", "Manhattan")
	p.await("[...document.querySelectorAll('.figure')].some((f) => f.textContent === '4')")
}

// A document that somebody has made for it runs nothing, in the page and as a page of its own.
func TestDocumentsRunNothing(t *testing.T) {
	dir := scene(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "docs"), 0o755))
	save(t, dir, "docs/README.md", "# Read <script>window.ran = 1</script>\n\n![a](evil.svg) [b](javascript:window.ran=1) "+
		"[c](evil.html) <img src=x onerror=window.ran=1>\n\n<iframe src=\"javascript:parent.ran=1\"></iframe>\n")
	save(t, dir, "docs/evil.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="document.documentElement.id='ran'">`+
		`<script>document.documentElement.id='ran'</script></svg>`)
	save(t, dir, "docs/evil.html", "<script>window.ran = 1</script>")
	v := run(t, dir)
	p := newPage(t, desktop)
	p.open(v.of("scene-v1", "docs"))
	p.awaitRole("heading", "Read window.ran = 1")
	p.await("document.querySelector('.prose img').naturalWidth === 9")
	require.False(t, eval[bool](p, "'ran' in window || document.querySelector('.prose script, .prose iframe, .prose [onerror]') !== null"))
	p.allow("'unsafe-inline'") // the policy's own report of what it has blocked
	p.allow("sandboxed")
	p.open(v.of("scene-v1", "docs/file?name=docs/evil.svg"))
	p.await("document.documentElement.nodeName === 'svg'")
	require.NotEqual(t, "ran", eval[string](p, "document.documentElement.id"))
}
