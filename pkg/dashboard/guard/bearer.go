package guard

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// Bounds of a token that is pasted: browsers keep 4096 bytes of a cookie, in which it is sealed.
const (
	maxPasted  = 2900
	maxSignIn  = 16 << 10
	signInPath = "sign-in"
)

// bearerCookie is the name of the cookie that keeps a pasted token. It has the port, because
// browsers keep one cookie of a name for all ports of a host: with two forwarded ports, signing in
// to one cluster's dashboard would sign out of the other's.
func bearerCookie(r *http.Request) string {
	const name = "krt-bearer"
	_, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		return name
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return name
	}
	return name + "-" + port
}

// Texts of the page for pasting a token.
const (
	signInTitle = "Sign in"
	signInText  = "Paste a bearer token of the cluster. What you see and do here is done with its rights."
)

// BearerOptions are whose tokens are let in.
type BearerOptions struct {
	// Prefix is what the paths begin with: empty, or like "/_krt".
	Prefix string
	// Accept returns why a token is not accepted, in a sentence; nil if it is. It is asked for
	// each request; required.
	Accept func(r *http.Request, token string) error
	// Header is where a proxy passes on the token of a user whom it has signed in; Authorization
	// if it is empty.
	Header string
	// ProxyOnly leaves out the page for pasting a token.
	ProxyOnly bool
	// Command is what to type for a token; it is shown next to the form.
	Command string
}

type bearer struct {
	BearerOptions

	home string
	seal *seal
	next http.Handler
}

// Bearer lets requests through to next that carry a bearer token: in a header, as a proxy sets it,
// or in the cookie that the page for pasting a token sets. next finds it in the header
// Authorization either way.
func Bearer(o BearerOptions, next http.Handler) http.Handler {
	b := &bearer{BearerOptions: o, home: strings.TrimSuffix(o.Prefix, "/") + "/", seal: newSeal(), next: next}
	mux := http.NewServeMux()
	if !o.ProxyOnly {
		mux.HandleFunc("POST "+b.home+signInPath, b.signIn)
		mux.HandleFunc("POST "+b.home+"sign-out", b.signOut)
	}
	mux.HandleFunc("/", b.serve)
	return mux
}

func (b *bearer) serve(w http.ResponseWriter, r *http.Request) {
	token := b.tokenOf(r)
	text := signInText
	if token != "" {
		err := b.Accept(r, token)
		if err == nil {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+token)
			b.next.ServeHTTP(w, r)
			return
		}
		text = err.Error()
	}
	b.refuse(w, http.StatusUnauthorized, text)
}

// refuse shows the page for pasting a token, or why there is none.
func (b *bearer) refuse(w http.ResponseWriter, status int, text string) {
	page := refusal{Title: signInTitle, Text: text, SignIn: b.home + signInPath, Command: b.Command}
	if b.ProxyOnly {
		page.SignIn = ""
		if text == signInText {
			page.Text = "This dashboard is reached through a proxy that signs you in; this request did not come with a token of it."
		}
	}
	writeRefusal(w, status, page)
}

// tokenOf returns the token that a request comes with; "" for none.
func (b *bearer) tokenOf(r *http.Request) string {
	text := r.Header.Get(cmp.Or(b.Header, "Authorization"))
	scheme, token, found := strings.Cut(text, " ")
	switch {
	case found && strings.EqualFold(scheme, "Bearer"):
		text = strings.TrimSpace(token)
	case b.Header == "":
		text = "" // RFC 6750 has no other form
	}
	if isToken(text) {
		return text
	}
	pasted, err := r.Cookie(bearerCookie(r))
	if err != nil || b.ProxyOnly {
		return ""
	}
	return b.seal.open(pasted.Value, time.Now())
}

// signIn keeps the pasted token in a cookie, if it is accepted.
func (b *bearer) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	token := strings.TrimSpace(r.PostFormValue(tokenParameter))
	switch {
	case !secure(r) && !slices.Contains(Loopback(), web.HostName(r.Host)):
		b.refuse(w, http.StatusForbidden, "This page has no HTTPS: anybody in the network could read a token that is sent to it. "+
			"Reach it by HTTPS, or forward a port of this machine to it.")
	case !isToken(token) || len(token) > maxPasted:
		b.refuse(w, http.StatusBadRequest, "This is not a bearer token, or it is longer than a cookie can be.")
	default:
		if err := b.Accept(r, token); err != nil {
			b.refuse(w, http.StatusUnauthorized, err.Error())
			return
		}
		http.SetCookie(w, cookie(bearerCookie(r), b.seal.close(token, time.Now()), b.home, secure(r)))
		http.Redirect(w, r, b.home, http.StatusSeeOther)
	}
}

func (b *bearer) signOut(w http.ResponseWriter, r *http.Request) {
	gone := cookie(bearerCookie(r), "", b.home, secure(r)) //nolint:gosec // G124: see there
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, b.home, http.StatusSeeOther)
}

// secure reports whether the browser's connection is encrypted, here or at a proxy.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// isToken reports whether the text can be a token (RFC 6750, b64token).
func isToken(text string) bool {
	for _, c := range []byte(text) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("-._~+/=", rune(c)) {
			return false
		}
	}
	return text != ""
}
