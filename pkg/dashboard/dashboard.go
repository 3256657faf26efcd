// Package dashboard shows versions in a browser and changes them. It renders all pages on the
// server; a little JavaScript replaces what has changed. What it shows comes from a source: it
// knows neither clusters nor processes.
//
// A page is one entry in [pages]: a Go file with a function that makes its view, and a template
// of its name that defines "main".
package dashboard

import (
	"html/template"
	"net/http"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/bound"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/receipt"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Options define a dashboard.
type Options struct {
	// Sources returns the source for the user of a request; required. Its error is shown as a
	// page, see [source.RefusedError].
	Sources func(*http.Request) (source.Source, error)
	// User returns the name of a request's user, so that one cannot have all pages that may be open
	// at a time. Default: there is only one user.
	User func(*http.Request) string
	// Prefix is the path that all paths of the dashboard begin with, such as "/_krt", without a
	// slash at its end. Default: none.
	Prefix string
	// One says that there is one version, as in a run on this machine: the first page is that of its
	// status, and the table of versions is behind a link.
	One bool
	// Title is what the dashboard is of, such as the name of a cluster.
	Title string
	// Traces makes links to the pages of traces, see [link.ParseTrace]. Default: there are none.
	Traces link.Trace
	// ReadOnly refuses all actions.
	ReadOnly bool
	// Notice is shown on each page, such as a warning about who can read it; empty for none.
	Notice string
	// Creating is how versions are created; without it pages do not mention that.
	Creating Creating
	// SignOut is the path of a form that signs the user out; empty if there is none.
	SignOut string
}

// One is for [Options.Sources] of a dashboard with one source for all of its requests.
func One(s source.Source) func(*http.Request) (source.Source, error) {
	return func(*http.Request) (source.Source, error) { return s, nil }
}

// Dashboard serves the pages.
type Dashboard struct {
	options   Options
	link      link.Links
	assets    *assetFiles
	pages     []page
	templates map[string]*template.Template // by name of the page
	streams   bound.Share                   // that are open
	sending   bound.Share                   // bytes that are held until they are sent
	creations creations
	receipts  receipt.Receipts
	handbook  handbook.Reader
	handler   http.Handler
}

// New makes a handler of all paths below the prefix. It sets strict headers, and refuses requests
// that another site's page makes to change something; who may send requests at all is decided
// in front of it, see package guard. A stream ends with the context of its request, with the text of a
// [guard.EndedError] that is the cause: give the server a base context that ends when it shuts down.
func New(o Options) *Dashboard {
	files := embeddedAssets()
	d := &Dashboard{
		options: o, assets: files, pages: pages(),
		link:    link.Links{Prefix: strings.TrimSuffix(o.Prefix, "/"), Assets: files.digest, Traces: o.Traces, One: o.One},
		streams: bound.Share{Most: maxStreams, Own: maxOwnStreams}, sending: bound.Share{Most: maxSending, Own: maxOwnSending},
	}
	d.templates = d.parse()
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d.fail(w, &source.RefusedError{Refusal: source.Forbidden, Text: "Another site's page sent this request."})
	}))
	d.handler = protection.Handler(d.routes())
	return d
}

// ServeHTTP implements [http.Handler].
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard.SetHeaders(w.Header())
	out := bound.NewWriter(w, func(n int) (func(), error) { return d.sending.Take(d.user(r), n) })
	defer out.End()
	bound.Limit(w, r)
	d.handler.ServeHTTP(out, r)
}

// routes has the paths of all pages.
func (d *Dashboard) routes() http.Handler {
	mux := http.NewServeMux()
	for _, p := range d.pages {
		at := d.link.Prefix + p.route()
		mux.HandleFunc("GET "+at, d.serve(p))
		at = strings.TrimSuffix(strings.TrimSuffix(at, "{$}"), "/")
		mux.HandleFunc("GET "+at+"/events", d.stream(p))
		for name, file := range p.files {
			mux.HandleFunc("GET "+at+"/"+name, d.file(file))
		}
		for name, form := range p.forms {
			mux.HandleFunc("POST "+strings.TrimSuffix(at+"/"+name, "/"), d.form(p, form))
		}
		for name, post := range p.posts {
			mux.HandleFunc("POST "+strings.TrimSuffix(at+"/"+name, "/"), d.post(post))
		}
	}
	mux.HandleFunc("GET "+d.link.Prefix+versionRoute+"/actions/{action}", d.confirm)
	mux.HandleFunc("POST "+d.link.Prefix+versionRoute+"/actions/{action}", d.act)
	mux.HandleFunc("POST "+d.link.Prefix+"/create", d.upload)
	mux.HandleFunc("GET "+d.link.Prefix+"/assets/{digest}/{name}", d.assets.serve)
	mux.HandleFunc(d.link.Prefix+"/", d.noPage)
	return mux
}

// noPage redirects a path with a slash at its end to the page without it, and fails for others.
func (d *Dashboard) noPage(w http.ResponseWriter, r *http.Request) {
	at := r.URL.EscapedPath()
	if short := strings.TrimSuffix(at, "/"); r.Method == http.MethodGet && len(short) > len(d.link.Prefix) && short != at {
		if r.URL.RawQuery != "" {
			short += "?" + r.URL.RawQuery
		}
		http.Redirect(w, r, short, http.StatusMovedPermanently) //nolint:gosec // the path is ours: it begins with the prefix
		return
	}
	d.fail(w, errNoPage)
}
