package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/runner/clip"
)

// GuardHost refuses requests to a loopback address under another name than the
// machine's own: a web page can have its own name resolve to 127.0.0.1, and is
// then of the same origin as this server (DNS rebinding).
func GuardHost(next http.Handler, address net.Addr) http.Handler {
	if at, err := netip.ParseAddrPort(address.String()); err != nil || !at.Addr().IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := HostName(r.Host); name != "" && !IsThisMachine(name) {
			RefuseAs(w, r, http.StatusMisdirectedRequest, &spb.Status{
				Code:    int32(code.Code_PERMISSION_DENIED),
				Message: fmt.Sprintf("this server is for this machine only, and %q is not one of its names; use localhost", clip.Text(r.Host, 128)),
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// HostName is the canonical name in the host of a request, which may have a port.
func HostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return CanonicalName(host)
}

// CanonicalName is one spelling of the name or the address of a host.
func CanonicalName(name string) string {
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if address, err := netip.ParseAddr(name); err == nil {
		return address.String()
	}
	return name
}

// IsThisMachine reports whether a canonical name is one of this machine.
func IsThisMachine(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") { // RFC 6761
		return true
	}
	address, err := netip.ParseAddr(name)
	return err == nil && address.IsLoopback()
}
