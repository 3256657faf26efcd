package browser

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Rows before the one with the focus come, go and change places; the focus stays where it is.
func TestTheFocusStaysInItsRow(t *testing.T) {
	m, v := crowd()
	url := site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m)}))
	p := newPage(t, desktop)
	p.open(url + "/?sort=phase")
	p.do(chromedp.Focus(`[id="v:team/price-estimator-60"] a`))
	const focused = "document.activeElement.innerText"
	require.Equal(t, "price-estimator-60", eval[string](p, focused))
	m.Remove(v.Ref)
	p.await(`!document.getElementById("v:team/` + v.Name + `")`)
	require.Equal(t, "price-estimator-60", eval[string](p, focused), "another row is gone")
	moved, err := m.Version(t.Context(), source.Ref{Namespace: "team", Name: "price-estimator-60"})
	require.NoError(t, err)
	moved.State, moved.Phase = source.Failed, "Broken"
	m.Set(*moved)
	p.await(`document.getElementById("v:team/price-estimator-60").innerText.includes("Broken")`)
	require.Equal(t, "price-estimator-60", eval[string](p, focused), "the row has another place")
}

// Whoever is not signed in any more is told so by a filter, too.
func TestAFilterThatIsRefused(t *testing.T) {
	m, _ := crowd()
	var out atomic.Bool
	url := site(t, dashboard.New(dashboard.Options{Sources: func(*http.Request) (source.Source, error) {
		if out.Load() {
			return nil, &source.RefusedError{Refusal: source.Unauthorized, Text: "Your session has ended."}
		}
		return m, nil
	}}))
	p := newPage(t, desktop)
	p.open(url)
	p.awaitRole("link", "price-estimator-70")
	p.allow("401")
	out.Store(true)
	p.do(chromedp.Focus("input[name=q]"), chromedp.KeyEvent("a"))
	p.awaitText("main", "Your session has ended.")
}

// A page that is one too many says so, and one that is there goes on.
func TestAPageTooManySaysSo(t *testing.T) {
	m, _ := crowd()
	url := site(t, dashboard.New(dashboard.Options{Sources: dashboard.One(m), User: func(*http.Request) string { return "me" }}))
	for full := false; !full; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/events", nil)
		require.NoError(t, err)
		response, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		full = response.StatusCode == http.StatusTooManyRequests
	}
	p := newPage(t, desktop)
	p.allow("429")
	p.open(url)
	p.awaitText("#connection", "You have as many pages of this dashboard open as one user may have: close some.")
}

// Who signs out in one tab sees nothing more in the others.
func TestASignOutEndsOtherPages(t *testing.T) {
	m, _ := crowd()
	accept := func(r *http.Request, _ string) (*http.Request, error) { return r, nil }
	url := site(t, guard.Site(guard.Loopback(), guard.Bearer(guard.BearerOptions{Accept: accept},
		dashboard.New(dashboard.Options{Sources: dashboard.One(m), SignOut: "/sign-out"}))))
	p := newPage(t, desktop)
	p.allow("401")
	p.open(url)
	p.fill("input", "abc")
	p.press("button", "Sign in")
	p.awaitRole("link", "price-estimator-70")
	m.Set(source.Version{Ref: source.Ref{Namespace: "team", Name: "live"}})
	p.awaitRole("link", "live") // its stream is open
	eval[bool](p, "!!fetch('/sign-out', {method: 'POST'})")
	p.awaitText("#connection", "You have signed out. Load this page again to sign in.")
}
