package guard

import (
	"net/http"
	"strings"
)

// Bounds of a token that is pasted: browsers keep 4096 bytes of a cookie.
const (
	maxPasted  = 3800
	maxSignIn  = 16 << 10
	signInPath = "sign-in"
)

// bearerCookie keeps a pasted token. HttpOnly: scripts do not see it.
const bearerCookie = "krt-bearer"

// Bearer lets requests through to next that carry a bearer token: in the header Authorization, as a
// proxy sets it that has signed the user in, or in the cookie that the page for pasting a token
// sets. next finds it in the header Authorization either way, and decides what it is worth. The
// paths are those below prefix, which is empty or like "/_krt".
func Bearer(prefix string, next http.Handler) http.Handler {
	home := strings.TrimSuffix(prefix, "/") + "/"
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+home+signInPath, func(w http.ResponseWriter, r *http.Request) { signIn(w, r, home) })
	mux.HandleFunc("POST "+home+"sign-out", func(w http.ResponseWriter, r *http.Request) {
		gone := cookie(bearerCookie, "", home, secure(r)) //nolint:gosec // G124: see there
		gone.MaxAge = -1
		http.SetCookie(w, gone)
		http.Redirect(w, r, home, http.StatusSeeOther)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if hasBearer(r) {
			next.ServeHTTP(w, r)
			return
		}
		pasted, err := r.Cookie(bearerCookie)
		if err != nil || !plausible(pasted.Value) {
			writeRefusal(w, http.StatusUnauthorized, refusal{
				Title: "Sign in", Text: "Paste a bearer token of the cluster. What you see and do here is done with its rights.",
				SignIn: home + signInPath,
			})
			return
		}
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+pasted.Value)
		next.ServeHTTP(w, r)
	})
	return mux
}

// hasBearer reports whether the header Authorization has a bearer token (RFC 6750).
func hasBearer(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && strings.TrimSpace(token) != ""
}

// signIn keeps the pasted token in a cookie.
func signIn(w http.ResponseWriter, r *http.Request, home string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSignIn)
	token := strings.TrimSpace(r.PostFormValue(tokenParameter))
	if !plausible(token) {
		writeRefusal(w, http.StatusBadRequest, refusal{
			Title: "Sign in", Text: "This is not a bearer token, or it is longer than a cookie can be.", SignIn: home + signInPath,
		})
		return
	}
	http.SetCookie(w, cookie(bearerCookie, token, home, secure(r)))
	http.Redirect(w, r, home, http.StatusSeeOther)
}

// secure reports whether the browser's connection is encrypted, here or at a proxy.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// plausible reports whether the text can be a token (RFC 6750, b64token).
func plausible(token string) bool {
	for _, c := range []byte(token) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("-._~+/=", rune(c)) {
			return false
		}
	}
	return token != "" && len(token) <= maxPasted
}
