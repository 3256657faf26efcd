package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// evilSite is a page of another site, which is open in the same browser as the dashboard.
func evilSite(t *testing.T) string {
	t.Helper()
	url := site(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>evil</title><body></body>"))
	}))
	return strings.Replace(url, "127.0.0.1", "localhost", 1) // another site than 127.0.0.1
}

// attacks are what the page tries on the dashboard's page TARGET: each is a promise, and is true if
// the page got something out of it.
var attacks = map[string]string{
	"read":                `fetch(TARGET, {credentials: "include"}).then(r => r.text()).then(t => t.length > 0, () => false)`,
	"read what is opaque": `fetch(TARGET, {mode: "no-cors", credentials: "include"}).then(() => true, () => false)`,
	"run it as a script": `new Promise(end => { const s = document.createElement("script");
		s.onload = () => end(true); s.onerror = () => end(false); s.src = TARGET; document.body.append(s) })`,
	"show it as an image": `new Promise(end => { const i = new Image();
		i.onload = () => end(true); i.onerror = () => end(false); i.src = ICON })`,
	"listen to its stream": `new Promise(end => { const e = new EventSource(TARGET + "/events", {withCredentials: true});
		e.onmessage = () => end(true); e.onerror = () => { e.close(); end(false) } })`,
	"open and read it": `new Promise(end => { const w = open(TARGET);
		setTimeout(() => { try { end(w.document.body.innerText.length > 0) } catch { end(false) } }, 500) })`,
	"post to it": `fetch(TARGET + "/actions/stop", {method: "POST", mode: "no-cors", credentials: "include",
		body: new URLSearchParams({comment: "evil"})}).then(() => true, () => false)`,
}

// attack tries all of them.
func attack(t *testing.T, p *page, site, target string) {
	t.Helper()
	for _, expected := range []string{"net::ERR", "CORS policy", "403", "MIME type", "Refused to", "blocked"} {
		p.allow(expected)
	}
	p.open(target)
	icon := eval[string](p, "document.querySelector('link[rel=icon]').href")
	p.open(site)
	for name, script := range attacks {
		expression := strings.NewReplacer("TARGET", quote(target), "ICON", quote(icon)).Replace(script)
		eval[any](p, "void (window.result = undefined, "+expression+".then(r => window.result = r))")
		p.await("window.result !== undefined")
		require.Falsef(t, eval[bool](p, "window.result"), "the page of another site could %s", name)
	}
	// A frame is loaded, but with a page of the browser's own.
	eval[any](p, `void (() => { const f = document.createElement("iframe"); window.framed = 0;
		f.onload = () => window.framed++; f.src = `+quote(target)+`; document.body.append(f) })()`)
	p.await("window.framed > 0")
	require.Equal(t, float64(0), eval[float64](p, "window.frames[0].length"))
	// A form is sent, and refused.
	eval[any](p, `void (() => { const f = document.createElement("form"); f.method = "post";
		f.action = `+quote(target+"/actions/stop")+`; document.body.append(f); f.submit() })()`)
	p.until("the form is refused", func() bool { // not by awaitText: the page is being left
		text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		return err == nil && strings.Contains(text, "Another site's page sent this request.")
	})
}

func TestForeignSitesOnARun(t *testing.T) {
	v := run(t, scene(t))
	v.await("ready")
	p := newPage(t, desktop)
	attack(t, p, evilSite(t), v.of("scene-v1", ""))
	p.open(v.of("scene-v1", "")) // a link to it works
	p.awaitText("body", "Running")
	requireHosts(t, v.dashboard)
}

func TestForeignSitesOnACluster(t *testing.T) {
	c := newCluster(t)
	c.start("room-1")
	h := c.serve(c.server.Config(), false)
	p := newPage(t, desktop)
	link := h.link()
	p.open(link) // signed in
	p.awaitRole("link", "room-1")
	attack(t, p, evilSite(t), h.of("room-1", ""))
	require.Equal(t, v1alpha1.StateStarted, c.version("room-1").Spec.State)

	thief := newPage(t, desktop) // the same link in another browser
	thief.allow("401")
	thief.open(link)
	thief.awaitText("body", "This link does not work")
	thief.open(h.URL)
	thief.awaitText("body", "Not signed in")
	requireHosts(t, h.URL)
}

// requireHosts requires that other names of the server are refused (DNS rebinding).
func requireHosts(t *testing.T, url string) {
	t.Helper()
	for _, host := range []string{"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.0.2.1"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusMisdirectedRequest, response.StatusCode, host)
	}
}
