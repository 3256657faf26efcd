package guard

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// inside is what a guard protects.
var inside = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte("inside " + r.Header.Get("Authorization")))
})

// ask sends a request with pairs of headers; the header Host is the host.
func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "127.0.0.1:7777"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestSite(t *testing.T) {
	for _, tt := range []struct {
		name, method string
		headers      []string
		status       int
	}{
		{"by address", "GET", nil, 200},
		{"by name", "GET", []string{"Host", "LocalHost:1"}, 200},
		{"by a name with a dot", "GET", []string{"Host", "localhost."}, 200},
		{"IPv6", "GET", []string{"Host", "[0:0::1]:80"}, 200},
		{"rebound name", "GET", []string{"Host", "evil.example:7777"}, 421},
		{"name that begins like ours", "GET", []string{"Host", "127.0.0.1.evil.example"}, 421},
		{"name below localhost", "GET", []string{"Host", "evil.localhost"}, 421},
		{"another address", "GET", []string{"Host", "192.0.2.1"}, 421},
		{"no host", "GET", []string{"Host", ""}, 421},
		{"user in the host", "GET", []string{"Host", "127.0.0.1@evil.example"}, 421},
		{"link on another site", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "document"}, 200},
		{"frame on another site", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		{"image on another site", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		{"fetch of another port", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"form of our own", "POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"form of another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "document"}, 403},
		{"form of another site, old browser", "POST", []string{"Origin", "http://evil.example"}, 403},
		{"form of nowhere", "POST", []string{"Origin", "null"}, 403},
		{"form of another port", "POST", []string{"Origin", "http://127.0.0.1:1"}, 403},
		{"form of another port, new browser", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"}, 403},
		{"program", "POST", nil, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(Site(Loopback(), inside), tt.method, "/", tt.headers...)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'")
		})
	}
	require.Equal(t, 200, ask(Site([]string{AnyHost}, inside), "GET", "/", "Host", "dashboard.example").Code)
}

func TestTokenWorksOnce(t *testing.T) {
	tokens := NewTokens("/_krt")
	h := tokens.Handler(inside)
	link := "/_krt/ns/a" + tokens.Query()

	first := ask(h, "GET", link+"&x=1")
	require.Equal(t, 303, first.Code)
	require.Equal(t, "/_krt/ns/a?x=1", first.Header().Get("Location"))
	cookie := first.Result().Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	require.Equal(t, "/_krt/", cookie.Path)
	require.NotContains(t, link, cookie.Value)

	pair := cookie.Name + "=" + cookie.Value
	require.Equal(t, 200, ask(h, "GET", "/_krt/", "Cookie", pair).Code)
	require.Equal(t, 303, ask(h, "GET", link, "Cookie", pair).Code, "the same browser uses its link again")

	stolen := ask(h, "GET", link)
	require.Equal(t, 401, stolen.Code)
	require.Empty(t, stolen.Result().Cookies())
}

func TestWithoutAToken(t *testing.T) {
	tokens := NewTokens("")
	h := tokens.Handler(inside)
	token := tokens.Query()
	for _, tt := range []struct {
		name, method, target string
		headers              []string
	}{
		{"none", "GET", "/", nil},
		{"another", "GET", "/?token=AAAA", nil},
		{"empty", "GET", "/?token=", nil},
		{"the token as the cookie", "GET", "/", []string{"Cookie", tokens.cookie + "=" + strings.TrimPrefix(token, "?token=")}},
		{"a cookie of another dashboard", "GET", "/", []string{"Cookie", NewTokens("").cookie + "=" + NewTokens("").session()}},
		{"checks links", "HEAD", "/" + token, nil},
		{"prefetch", "GET", "/" + token, []string{"Sec-Purpose", "prefetch;prerender"}},
		{"a form", "POST", "/" + token, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := ask(h, tt.method, tt.target, tt.headers...)
			require.Equal(t, 401, w.Code)
			require.NotContains(t, w.Body.String(), "inside")
		})
	}
	require.Equal(t, 303, ask(h, "GET", "/"+token).Code, "none of them has used it up")
}

func TestTokensEnd(t *testing.T) {
	tokens := NewTokens("")
	h := tokens.Handler(inside)
	now := time.Now()
	tokens.now = func() time.Time { return now }
	old := tokens.Query()
	now = now.Add(tokenLifetime + time.Second)
	require.Equal(t, 401, ask(h, "GET", "/"+old).Code)
	for range 3 * maxUnused {
		tokens.Query()
	}
	require.Len(t, tokens.unused, maxUnused)
	for range 3 * maxSessions {
		tokens.session()
	}
	require.Len(t, tokens.sessions, maxSessions)
}

// A link in a file, as --open makes, is from another site for a browser.
func TestTokenFromElsewhere(t *testing.T) {
	tokens := NewTokens("")
	h := tokens.Handler(inside)
	w := ask(h, "GET", "/a"+tokens.Query()+"&b=%22c", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode",
		"navigate", "Sec-Fetch-Dest", "document")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), `<meta http-equiv="refresh" content="0; url=/a?b=%22c">`)
	require.NotEmpty(t, w.Header().Get("Set-Cookie"))
}

func TestRedirectStaysHere(t *testing.T) {
	tokens := NewTokens("")
	r := httptest.NewRequest(http.MethodGet, "/x", nil)
	r.URL = &url.URL{Path: "//evil.example/", RawQuery: tokens.Query()[1:]}
	w := httptest.NewRecorder()
	tokens.Handler(inside).ServeHTTP(w, r)
	require.Equal(t, "/evil.example/", w.Header().Get("Location"))
}
