package guard

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"krt.dev/kn-krt/pkg/entrypoint/web"
)

// Bounds of a token that is pasted: browsers keep 4096 bytes of a cookie, in which it is sealed.
const (
	maxPasted  = 2900
	maxSignIn  = 16 << 10
	signInPath = "sign-in"
	// maxLeft is how many cookies are remembered that have signed out.
	maxLeft = 1024
	// tryAgain is after how many seconds a browser may try again that could not be let in.
	tryAgain = "10"
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
	// Accept returns the request of a token that is accepted, as it is to be served: its context may
	// end when the token is not accepted any more, with an [EndedError]. It is asked for each
	// request; required. A [RefusedError] says why the token is not accepted; any other error, why
	// that is not known.
	Accept func(r *http.Request, token string) (*http.Request, error)
	// Header is where a proxy passes on the token of a user whom it has signed in; Authorization
	// if it is empty.
	Header string
	// ProxyOnly leaves out the page for pasting a token.
	ProxyOnly bool
	// Command is what to type for a token; it is shown next to the form.
	Command string
}

// RefusedError is why a token is not accepted, in a sentence.
type RefusedError struct{ Text string }

// Error is the text.
func (e *RefusedError) Error() string { return e.Text }

type bearer struct {
	BearerOptions

	home   string
	seal   *seal
	next   http.Handler
	visits visits
	mu     sync.Mutex
	left   map[hash]time.Time // cookies that have signed out, with when that was
}

// Bearer lets requests through to next that carry a bearer token: in a header, as a proxy sets it,
// or in the cookie that the page for pasting a token sets. next finds it in the header
// Authorization either way. A request ends with what has let it in: at the sign-out in its browser,
// when its cookie is too old, or when Accept says so.
func Bearer(o BearerOptions, next http.Handler) http.Handler {
	b := &bearer{
		BearerOptions: o, home: strings.TrimSuffix(o.Prefix, "/") + "/", seal: newSeal(), next: next, left: map[hash]time.Time{},
	}
	mux := http.NewServeMux()
	if !o.ProxyOnly {
		mux.HandleFunc("POST "+b.home+signInPath, b.signIn)
		mux.HandleFunc("POST "+b.home+"sign-out", b.signOut)
	}
	mux.HandleFunc("/", b.serve)
	return mux
}

func (b *bearer) serve(w http.ResponseWriter, r *http.Request) {
	if token := b.sent(r); token != "" {
		b.let(w, r, token)
		return
	}
	cookie, err := r.Cookie(bearerCookie(r))
	if err != nil || b.ProxyOnly {
		b.refuse(w, http.StatusUnauthorized, signInText)
		return
	}
	key := sha256.Sum256([]byte(cookie.Value))
	r, leave := b.visits.enter(r, key) // before it is looked whether it has left
	defer leave()
	token, end := b.seal.open(cookie.Value, time.Now())
	if token == "" || b.hasLeft(key) {
		b.refuse(w, http.StatusUnauthorized, signInText)
		return
	}
	ctx, cancel := context.WithDeadlineCause(r.Context(), end, errTooOld)
	defer cancel()
	b.let(w, r.WithContext(ctx), token)
}

// let serves the request of a token, if that is accepted.
func (b *bearer) let(w http.ResponseWriter, r *http.Request, token string) {
	r, err := b.Accept(r, token)
	if err != nil {
		b.fail(w, err)
		return
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	b.next.ServeHTTP(w, r)
}

// fail shows why a token is not accepted, or that this is not known.
func (b *bearer) fail(w http.ResponseWriter, err error) {
	if errors.As(err, new(*RefusedError)) {
		b.refuse(w, http.StatusUnauthorized, err.Error())
		return
	}
	w.Header().Set("Retry-After", tryAgain)
	writeRefusal(w, http.StatusServiceUnavailable, refusal{
		Title: "Not available now", Text: "It cannot be checked now whether you may see this: " + err.Error(), Home: b.home,
	})
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

// sent returns the token in the header of a request; "" for none.
func (b *bearer) sent(r *http.Request) string {
	text := r.Header.Get(cmp.Or(b.Header, "Authorization"))
	scheme, token, found := strings.Cut(text, " ")
	switch {
	case found && strings.EqualFold(scheme, "Bearer"):
		text = strings.TrimSpace(token)
	case b.Header == "":
		return "" // RFC 6750 has no other form
	}
	if !isToken(text) {
		return ""
	}
	return text
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
		if _, err := b.Accept(r, token); err != nil {
			b.fail(w, err)
			return
		}
		b.leaveBefore(r)
		http.SetCookie(w, cookie(bearerCookie(r), b.seal.close(token, time.Now()), b.home, secure(r)))
		http.Redirect(w, r, b.home, http.StatusSeeOther)
	}
}

// signOut ends what the browser's cookie has let in, and what a copy of it might.
func (b *bearer) signOut(w http.ResponseWriter, r *http.Request) {
	b.leaveBefore(r)
	gone := cookie(bearerCookie(r), "", b.home, secure(r)) //nolint:gosec // G124: see there
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, b.home, http.StatusSeeOther)
}

// leaveBefore makes the cookie that the browser has had until now count no more.
func (b *bearer) leaveBefore(r *http.Request) {
	old, err := r.Cookie(bearerCookie(r))
	if err != nil {
		return
	}
	now := time.Now()
	if token, _ := b.seal.open(old.Value, now); token == "" {
		return
	}
	key := sha256.Sum256([]byte(old.Value))
	b.mu.Lock()
	for old, at := range b.left {
		if now.Sub(at) > maxSignedIn {
			delete(b.left, old)
		}
	}
	makeRoom(b.left, maxLeft)
	b.left[key] = now
	b.mu.Unlock()
	b.visits.end(key, errSignedOut)
}

func (b *bearer) hasLeft(key hash) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, left := b.left[key]
	return left
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
