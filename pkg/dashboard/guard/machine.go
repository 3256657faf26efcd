package guard

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ThisMachine serves clients on this machine only, whatever address the server listens on, and
// only by a name of this machine: a page of another site can have its own name resolve to
// 127.0.0.1, and its scripts are then of the same origin as the server (DNS rebinding).
func ThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		SetHeaders(w.Header())
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		switch {
		case err != nil || !from.Addr().Unmap().IsLoopback():
			http.Error(w, "the dashboard serves clients on its own machine only", http.StatusForbidden)
		case !loopbackName(r.Host):
			http.Error(w, "the dashboard is not served under this name; use localhost", http.StatusMisdirectedRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// loopbackName reports whether host, with or without a port, names this machine.
func loopbackName(host string) bool {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.Unmap().IsLoopback()
}
