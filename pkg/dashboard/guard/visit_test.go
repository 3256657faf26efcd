package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// held is a page whose stream is open until its request ends: it sends why that was.
func held(open chan<- struct{}, ended chan<- error) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		open <- struct{}{}
		<-r.Context().Done()
		ended <- context.Cause(r.Context())
	})
}

// visitWith opens the page with a cookie.
func visitWith(h http.Handler, pair string) { go ask(h, "GET", "/krt/", "Cookie", pair) }

func pairOf(w *httptest.ResponseRecorder) string {
	pair, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return pair
}

func TestASignOutEndsWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, open, ended := time.Now(), make(chan struct{}), make(chan error)
		h := Bearer(BearerOptions{Prefix: "/krt", Accept: known}, held(open, ended))
		pair, other := pairOf(paste(h, "127.0.0.1:7777", "abc")), pairOf(paste(h, "127.0.0.1:7777", "abc"))
		for _, p := range []string{pair, pair, other} {
			visitWith(h, p)
			<-open
		}
		require.Equal(t, 303, ask(h, "POST", "/krt/sign-out", "Cookie", pair).Code)
		require.Equal(t, errSignedOut, <-ended)
		require.Equal(t, errSignedOut, <-ended)
		require.Equal(t, 401, ask(h, "GET", "/krt/", "Cookie", pair).Code, "a copy of the cookie opens nothing")
		require.Equal(t, errTooOld, <-ended, "the other browser of the same user stays")
		require.Equal(t, maxSignedIn, time.Since(start))
	})
}

func TestAnotherTokenEndsWhatTheFirstHasOpened(t *testing.T) {
	open, ended := make(chan struct{}), make(chan error)
	h := Bearer(BearerOptions{Prefix: "/krt", Accept: known}, held(open, ended))
	pair := pairOf(paste(h, "127.0.0.1:7777", "abc"))
	visitWith(h, pair)
	<-open
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:7777/krt/sign-in", strings.NewReader("token=def"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", pair)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, errSignedOut, <-ended)
}

// A browser whose session gives way to those of others sees nothing more.
func TestWhoGivesWaySeesNothingMore(t *testing.T) {
	open, ended := make(chan struct{}), make(chan error)
	tokens := NewTokens("/krt")
	at := time.Unix(1e9, 0)
	tokens.now = func() time.Time { return at }
	visitWith(tokens.Handler(held(open, ended)), tokens.cookie+"="+tokens.session())
	<-open
	for range maxSessions {
		at = at.Add(time.Second)
		tokens.session()
	}
	require.Equal(t, errSuperseded, <-ended)
	require.Eventually(t, func() bool {
		tokens.visits.mu.Lock()
		defer tokens.visits.mu.Unlock()
		return len(tokens.visits.open) == 0
	}, time.Minute, time.Millisecond, "nothing is kept of it")
}

// That nobody knows whether a token is good is no reason to sign in again.
func TestUnknownIsNotRefused(t *testing.T) {
	h := Bearer(BearerOptions{Prefix: "/krt", Accept: known}, inside)
	for _, w := range []*httptest.ResponseRecorder{
		ask(h, "GET", "/krt/", "Authorization", "Bearer unknown"), paste(h, "localhost", "unknown"),
	} {
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, tryAgain, w.Header().Get("Retry-After"))
		require.Contains(t, w.Body.String(), "the API server is away")
		require.Empty(t, w.Header().Get("WWW-Authenticate"))
		require.NotContains(t, w.Body.String(), "<form")
	}
}
