package guard

import (
	"net/http"

	"krt.dev/kn-krt/pkg/dashboard/bound"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// Loopback are the names by which a program on this machine is reached.
func Loopback() []string { return []string{"localhost", "127.0.0.1", "::1"} }

// AnyHost is the element of hosts for [Site] that accepts every name. It is for a dashboard behind a
// proxy that checks them.
const AnyHost = "*"

// Site lets requests to next through that the pages of this site, or a person who follows a link
// to it, have made, and sets the headers of [SetHeaders] on all responses. It refuses
//
//   - names of this host that are not among hosts (without ports): a foreign site whose name leads
//     to this address would be able to read what this one responds (DNS rebinding);
//   - requests that another site's page makes in the background, or to show this one in a frame;
//   - forms and other changes that come from another site ([http.CrossOriginProtection]).
func Site(hosts []string, next http.Handler) http.Handler {
	names := map[string]bool{}
	for _, host := range hosts {
		names[web.CanonicalName(host)] = true
	}
	return site(func(host string) bool { return names[AnyHost] || names[host] }, next)
}

// site is [Site] for the hosts that known accepts, in their canonical spelling.
func site(known func(host string) bool, next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection()
	protected.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuseForeign(w) }))
	inner := protected.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		SetHeaders(w.Header())
		bound.SetDeadline(w)
		switch {
		case !known(web.HostName(r.Host)):
			writeRefusal(w, http.StatusMisdirectedRequest, refusal{
				Title: "Unknown host",
				Text:  "This dashboard is not reached by the name in the address. Use the address that was printed when it started.",
			})
		case foreign(r):
			refuseForeign(w)
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

func refuseForeign(w http.ResponseWriter) {
	writeRefusal(w, http.StatusForbidden, refusal{Title: "Not allowed", Text: "Another site's page sent this request."})
}

// foreign reports whether another site's page makes the request for itself (Fetch Metadata). A
// browser that does not say is let through: cookies are for this site only.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	if site != "cross-site" && site != "same-site" {
		return false
	}
	return r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.Header.Get("Sec-Fetch-Dest") != "document"
}
