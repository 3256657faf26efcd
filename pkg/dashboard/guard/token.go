package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Bounds of [Tokens].
const (
	tokenLifetime = 10 * time.Minute
	maxUnused     = 16
	maxSessions   = 64
)

// tokenParameter is the query parameter with a token.
const tokenParameter = "token"

// Tokens lets browsers in that were opened with a link of this program. A link works once: the
// browser gets a cookie for it, so that a link that is found later, in a history or a log, opens
// nothing.
type Tokens struct {
	path, cookie string

	mu sync.Mutex
	// unused has the tokens that nobody has used, with when they end; sessions the cookies, with
	// when they were made. Both by hash, so that the time of a look-up reveals nothing.
	unused, sessions map[hash]time.Time
	now              func() time.Time
	visits           visits
}

type hash = [sha256.Size]byte

// NewTokens makes a guard of the paths below prefix, which is empty or like "/_krt".
func NewTokens(prefix string) *Tokens {
	// Cookies are the same for all ports of a host: each dashboard needs a name of its own.
	name := sha256.Sum256([]byte(rand.Text()))
	return &Tokens{
		path: strings.TrimSuffix(prefix, "/") + "/", cookie: "krt-" + hex.EncodeToString(name[:4]),
		unused: map[hash]time.Time{}, sessions: map[hash]time.Time{}, now: time.Now,
	}
}

// Query is the query of a link that opens the dashboard once, within 10 minutes: "?token=…".
func (t *Tokens) Query() string {
	token := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, end := range t.unused {
		if t.now().After(end) {
			delete(t.unused, old)
		}
	}
	makeRoom(t.unused, maxUnused)
	t.unused[sha256.Sum256([]byte(token))] = t.now().Add(tokenLifetime)
	return "?" + tokenParameter + "=" + token
}

// makeRoom makes room for one more: the oldest leave, and are returned.
func makeRoom(times map[hash]time.Time, most int) (left []hash) {
	for len(times) >= most {
		var oldest hash
		first := true
		for key, at := range times {
			if first || at.Before(times[oldest]) {
				oldest, first = key, false
			}
		}
		delete(times, oldest)
		left = append(left, oldest)
	}
	return left
}

// Handler lets requests with a cookie of this guard through to next, and exchanges a token for
// one.
func (t *Tokens) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get(tokenParameter)
		key := t.keyOf(r)
		visit, leave := t.visits.enter(r, key) // before it is looked whether its session is there
		defer leave()
		known := t.known(key)
		switch {
		case known && token == "":
			next.ServeHTTP(w, visit)
		case known:
			withoutToken(w, r) // the link again, in the browser that has used it
		case token != "" && opens(r) && t.use(token):
			http.SetCookie(w, cookie(t.cookie, t.session(), t.path, r.TLS != nil))
			withoutToken(w, r)
		case token != "":
			writeRefusal(w, http.StatusUnauthorized, refusal{
				Title: "This link does not work", Text: "It has been used, or is too old. Start the dashboard again for a new one.", Home: t.path,
			})
		default:
			writeRefusal(w, http.StatusUnauthorized, refusal{
				Title: "Not signed in", Text: "Open the dashboard with the link that was printed when it started.", Home: t.path,
			})
		}
	})
}

// cookie is one that no script sees, and that no other site's page sends. It ends with the browser's
// session. Secure is not for loopback addresses: not all browsers accept it there.
func cookie(name, value, path string, secure bool) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // G124: see above
		Name: name, Value: value, Path: path, Secure: secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

// opens reports whether a person opens the address: a browser that only prepares for that, or
// something that checks links, must not use up the token.
func opens(r *http.Request) bool {
	prefetch := strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch")
	return r.Method == http.MethodGet && !prefetch
}

// use reports whether the token is known, and forgets it.
func (t *Tokens) use(token string) bool {
	key := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	end, ok := t.unused[key]
	delete(t.unused, key)
	return ok && !t.now().After(end)
}

// session makes the value of a cookie.
func (t *Tokens) session() string {
	value := rand.Text()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range makeRoom(t.sessions, maxSessions) {
		t.visits.end(key, errSuperseded)
	}
	t.sessions[sha256.Sum256([]byte(value))] = t.now()
	return value
}

// errSuperseded is the cause for requests of a browser that has given way.
var errSuperseded = &EndedError{"Too many other browsers have opened this dashboard since. Start it again for a new link."}

// keyOf is the session that the request's cookie names; that of no cookie, if it has none.
func (t *Tokens) keyOf(r *http.Request) hash {
	cookie, err := r.Cookie(t.cookie)
	if err != nil {
		return hash{}
	}
	return sha256.Sum256([]byte(cookie.Value))
}

// known reports whether there is such a session.
func (t *Tokens) known(key hash) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.sessions[key]
	return ok
}

// withoutToken leads to the same address without the token. A person who has come from a page of
// another site, or from a file, is led on by a page of this one: a browser that follows a redirect
// from elsewhere does not send a cookie that is for this site's own pages.
func withoutToken(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	query.Del(tokenParameter)
	to := "/" + strings.TrimLeft(r.URL.EscapedPath(), "/") // never another host, as "//host" would be
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		writeRefusal(w, http.StatusOK, refusal{Title: "You are signed in", Text: "The dashboard opens now.", Home: to, Go: true})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // G710: a path of this host, see above
}
