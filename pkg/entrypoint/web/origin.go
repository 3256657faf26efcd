package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"

	"krt.dev/kn-krt/pkg/runner/clip"
)

const (
	// exposedHeaders are what scripts of allowed origins may read of a response.
	exposedHeaders = "Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, Content-Encoding, Retry-After, " +
		"Preference-Applied, Krt-Correlation-Id, Ce-Specversion, Ce-Id, Ce-Source, Ce-Type, Ce-Causationid, " +
		"Ce-Dataschema, Ce-Traceparent, Ce-Tracestate, Server-Timing, Www-Authenticate"
	// preflightSeconds is how long a browser may remember a preflight.
	preflightSeconds = "7200"
)

// Origins decides which requests of browsers are served. A browser sends
// requests for any page that its user has open, so a page of another site must
// not reach a version that only its user's machine or network can reach.
type Origins struct {
	any        bool
	allowed    []string
	protection *http.CrossOriginProtection
}

// NewOrigins allows the given origins, such as "https://app.example.com"; "*"
// is any. The error names the one that is not an origin.
func NewOrigins(allowed []string) (*Origins, error) {
	o := &Origins{protection: http.NewCrossOriginProtection()}
	for _, origin := range allowed {
		if err := CheckOrigin(origin); err != nil {
			return nil, err
		}
		o.any = o.any || origin == "*"
		o.allowed = append(o.allowed, strings.ToLower(origin)) // as browsers send it
	}
	return o, nil
}

// CheckOrigin returns why an origin cannot be allowed.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if origin != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Scheme+"://"+u.Host != origin) {
		return fmt.Errorf(`%.80q is not a web origin such as "https://app.example.com"`, origin)
	}
	return nil
}

// Guard refuses requests that a browser sends for a page of an origin that is
// not allowed, and responds to the preflight requests of browsers (CORS). Requests of
// other programs pass: they have neither the header Origin nor Sec-Fetch-Site.
func (o *Origins) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		allowed := origin != "" && (o.any || slices.Contains(o.allowed, origin))
		if len(o.allowed) > 0 {
			w.Header().Add("Vary", "Origin")
		}
		if allowed {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				preflight(w.Header(), r)
				w.WriteHeader(http.StatusNoContent)
				return
			}
			w.Header().Set("Access-Control-Expose-Headers", exposedHeaders)
		}
		if !allowed && o.foreign(r) {
			RefuseAs(w, r, http.StatusForbidden, &spb.Status{
				Code: int32(code.Code_PERMISSION_DENIED),
				Message: fmt.Sprintf("a browser sent this request for a page of another origin%s, which is not among the allowed web origins: "+
					`allow it with "kn-krt run --web-origin", or in a cluster with "web-origins" in config-krt`, describeOrigin(r)),
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// foreign reports whether r is of a page of another origin and asks for more than
// what the entrypoint itself shows: any other path may run a workflow, by an
// annotation with GET too, so no method counts as safe there.
func (o *Origins) foreign(r *http.Request) bool {
	if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/proto/") {
		changing := *r
		changing.Method = http.MethodPost
		r = &changing
	}
	return o.protection.Check(r) != nil
}

// describeOrigin describes the page that a browser sent r for.
func describeOrigin(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" {
		return fmt.Sprintf(", %q", clip.Text(origin, 128))
	}
	return fmt.Sprintf(" (Sec-Fetch-Site: %s)", clip.Text(r.Header.Get("Sec-Fetch-Site"), 32))
}

// maxAllowedHeaders bounds what a preflight's response repeats of its request.
const maxAllowedHeaders = 8 << 10

// preflight allows what is asked for: which headers there are is the business of
// those who use the contract.
func preflight(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
	if asked := r.Header.Values("Access-Control-Request-Headers"); len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", clip.Text(strings.Join(asked, ", "), maxAllowedHeaders))
	}
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	h.Set("Access-Control-Max-Age", preflightSeconds)
}
