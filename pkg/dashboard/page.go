package dashboard

import (
	"context"
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/handbook"
	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/receipt"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// page is one kind of page. Its template, templates/<name>.html, defines "main", which is executed
// with the view.
type page struct {
	name string
	// path is below the version, and may have wildcards as "requests/{id}"; "" is the first page
	// of a version. A page with top set is not of a version, and its path is complete.
	path string
	top  bool
	// title is the page's, tab the text of its tab. A page without a tab says in under which
	// page's tab is marked as the current one.
	title, tab, under string
	// remote says that a run on this machine has no such page; only, if not nil, which versions have its tab.
	remote bool
	only   func(*source.Version) bool
	// instead is the path of a page that is shown instead of this one; empty, or nil, if this one is.
	instead func(*request) string
	// view makes what the template shows.
	view func(*request) (any, error)
	// live returns the parts of the page that are sent again when they have changed; nil if none
	// does. The template must render them with the same templates and data.
	live func(view any) []fragment
	// keep returns what the page's stream keeps for as long as it is open: view and follow have it
	// as the request's kept, which is nil for a page without a stream. nil if it keeps nothing.
	keep func() any
	// follow say when the live parts may have changed, besides the source's Watch; none if Watch is
	// enough.
	follow []follower
	// own sends events that only the page's own script understands, until ctx is done; see
	// [stream.Stream.Own]. nil if it has none.
	own func(ctx context.Context, r *request, send func(name, id string, data any) error) error
	// scripts are names of assets that the page alone needs, JavaScript modules. With charts the
	// page also has the global uPlot and its styles.
	scripts []string
	charts  bool
	// files are responses that are not pages, such as a download, by their path below the page.
	files map[string]func(http.ResponseWriter, *request) error
	// posts change something, by their path below the page, and return where the browser goes
	// next. A dashboard that is read-only refuses them.
	posts map[string]func(*request) (location string, err error)
	// forms are like posts, and the response is the page itself with the view that they return. They may
	// show a part of it before, see watch of [request].
	forms map[string]func(*request) (view any, err error)
}

// follower calls changed when the live parts of a page may have changed, until ctx is done.
type follower func(ctx context.Context, r *request, changed func()) error

// fragment is a part of a page: one element with that id, which the template renders from data.
type fragment struct {
	id, template string
	data         any
	// key replaces the content in the comparison of what has changed, if it is not empty: for an
	// element whose children are fragments of their own.
	key string
}

// versionRoute is the route of a version.
const versionRoute = "/ns/{ns}/versions/{v}"

// route is the page's pattern for http.ServeMux.
func (p page) route() string {
	switch {
	case p.top:
		return p.path
	case p.path == "":
		return versionRoute
	}
	return versionRoute + "/" + p.path
}

// elsewhere is the path of the page that is shown instead; empty if this one is.
func (p page) elsewhere(r *request) string {
	if p.instead == nil {
		return ""
	}
	return p.instead(r)
}

// pages are all pages; those with a tab in the order of the tabs.
func pages() []page {
	return []page{
		versionsPage(),
		createPage(), creationPage(),
		// Status.
		statusPage(),
		// Requests and what is known of one of them.
		requestsPage(), requestPage(),
		// What was given up on, and what waits.
		lettersPage(), letterPage(), settlePage(false), settlePage(true), queuePage(),
		// Logs.
		logsPage(),
		// Metrics.
		metricsPage(),
		predictionsPage(),
		trafficPage(),
		docsPage(),
		// Try.
		tryPage(),
		// Configuration and the past.
		configPage(),
		historyPage(),
		comparePage(),
		bundledPage(),
	}
}

// request is a request for a page, with what all pages need.
type request struct {
	*http.Request
	source source.Source
	link   link.Links
	// ref and version are what the page is of; zero and nil for a page that is not of a version.
	ref     source.Ref
	version *source.Version
	// readOnly says that the dashboard refuses all actions.
	readOnly bool
	// creating is how versions are created, creations are those that were.
	creating  *Creating
	creations *creations
	receipts  *receipt.Receipts
	handbook  *handbook.Reader
	// kept is what the stream of the page keeps, see keep of [page].
	kept any
	// watch runs what a form does, and shows a part of the page each time that it has changed; nil if
	// the browser waits for the whole page.
	watch func(do follower, part func() fragment) error
}

// open makes a request ready for a page. Its error is one for [Dashboard.fail].
func (d *Dashboard) open(r *http.Request) (*request, error) {
	s, err := d.options.Sources(r)
	if err != nil {
		return nil, err
	}
	req := &request{Request: r, source: s, link: d.link, readOnly: d.options.ReadOnly,
		creating: &d.options.Creating, creations: &d.creations, receipts: &d.receipts, handbook: &d.handbook}
	if name := r.PathValue("v"); name != "" {
		req.ref = source.Ref{Namespace: r.PathValue("ns"), Name: name}
		if req.version, err = s.Version(r.Context(), req.ref); err != nil {
			return nil, err
		}
	}
	return req, nil
}
