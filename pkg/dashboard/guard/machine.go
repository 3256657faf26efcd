package guard

import (
	"net/http"
	"net/netip"

	"krt.dev/kn-krt/pkg/dashboard/bound"
	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// ThisMachine serves clients on this machine only, whatever address the server listens on, and
// only by a name of this machine; with that it is a [Site].
func ThisMachine(next http.Handler) http.Handler {
	inner := site(web.IsThisMachine, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() {
			SetHeaders(w.Header())
			bound.SetDeadline(w)
			writeRefusal(w, http.StatusForbidden, refusal{
				Title: "Not allowed", Text: "This dashboard serves clients on its own machine only.",
			})
			return
		}
		inner.ServeHTTP(w, r)
	})
}
