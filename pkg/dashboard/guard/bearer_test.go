package guard

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// known accepts all tokens but one.
func known(r *http.Request, token string) (*http.Request, error) {
	switch token {
	case "expired":
		return nil, &RefusedError{"the token has expired"}
	case "unknown":
		return nil, errors.New("the API server is away")
	}
	return r, nil
}

// paste sends the form for pasting a token to a host.
func paste(h http.Handler, host, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://"+host+"/krt/sign-in", strings.NewReader(url.Values{"token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestBearer(t *testing.T) {
	h := Bearer(BearerOptions{Prefix: "/krt", Accept: known, Command: "kubectl create token ME"}, inside)
	none := ask(h, "GET", "/krt/")
	require.Equal(t, 401, none.Code)
	require.Contains(t, none.Body.String(), `action="/krt/sign-in"`)
	require.Contains(t, none.Body.String(), "kubectl create token ME")
	require.Equal(t, "inside Bearer abc", ask(h, "GET", "/krt/", "Authorization", "Bearer abc").Body.String())
	expired := ask(h, "GET", "/krt/", "Authorization", "Bearer expired")
	require.Equal(t, 401, expired.Code)
	require.Contains(t, expired.Body.String(), "the token has expired")
	require.Equal(t, 401, ask(h, "GET", "/krt/", "Authorization", "Basic abc").Code)
	require.Equal(t, 401, ask(h, "GET", "/krt/", "Authorization", "Bearer ").Code)
	// A token that was not sealed here is none.
	require.Equal(t, 401, ask(h, "GET", "/krt/", "Cookie", "krt-bearer-7777=a.b").Code)

	for token, status := range map[string]int{"eyJ.a-b_c": 303, "a b": 400, "": 400, "a\r\nX: y": 400,
		strings.Repeat("a", 2901): 400, "expired": 401} {
		w := paste(h, "127.0.0.1:7777", token)
		require.Equalf(t, status, w.Code, "%q", token)
		if status != 303 {
			require.Empty(t, w.Header().Get("Set-Cookie"))
			continue
		}
		set := w.Header().Get("Set-Cookie")
		require.NotContains(t, set, token)
		require.Contains(t, set, "; Path=/krt/; HttpOnly; SameSite=Strict")
		pair, _, _ := strings.Cut(set, ";")
		require.Equal(t, "inside Bearer "+token, ask(h, "GET", "/krt/", "Cookie", pair).Body.String())
		require.Equal(t, 401, ask(h, "GET", "/krt/", "Cookie", pair[:len(pair)-2]+"AA").Code)
		another := Bearer(BearerOptions{Prefix: "/krt", Accept: known}, inside)
		require.Equal(t, 401, ask(another, "GET", "/krt/", "Cookie", pair).Code)
	}
	longest := paste(h, "localhost", strings.Repeat("a", 2900)).Header().Get("Set-Cookie")
	require.Less(t, len(longest), 4096)
	require.Equal(t, 403, paste(h, "dashboard.example.com", "abc").Code)
	out := ask(h, "POST", "/krt/sign-out", "Cookie", "krt-bearer-7777=a.b")
	require.Contains(t, out.Header().Get("Set-Cookie"), "Max-Age=0")
}

func TestBearerOfAProxy(t *testing.T) {
	h := Bearer(BearerOptions{Prefix: "/krt", Accept: known, Header: "X-Forwarded-Access-Token", ProxyOnly: true}, inside)
	none := ask(h, "GET", "/krt/", "Authorization", "Bearer abc")
	require.Equal(t, 401, none.Code)
	require.NotContains(t, none.Body.String(), "<form")
	require.Equal(t, "inside Bearer abc", ask(h, "GET", "/krt/", "X-Forwarded-Access-Token", "abc").Body.String())
	require.NotEqual(t, 303, paste(h, "localhost", "abc").Code)
}

func TestSealEnds(t *testing.T) {
	s, at := newSeal(), time.Unix(1e9, 0)
	value := s.close("abc", at)
	for value, want := range map[string][2]string{value: {"abc", ""}, "": {}, "AAAA": {}} {
		token, end := s.open(value, at.Add(maxSignedIn))
		require.Equal(t, want[0], token)
		if token != "" {
			require.Equal(t, at.Add(maxSignedIn), end)
		}
		token, _ = s.open(value, at.Add(maxSignedIn+time.Second))
		require.Equal(t, want[1], token)
	}
}

// The dashboards of two clusters, with a forwarded port each, are one host with one set of cookies.
func TestSignedInToTwoPorts(t *testing.T) {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	var addresses []string
	for range 2 {
		server := httptest.NewServer(Bearer(BearerOptions{Accept: known}, inside))
		t.Cleanup(server.Close)
		addresses = append(addresses, server.URL)
		response, err := browser.PostForm(server.URL+"/sign-in", url.Values{"token": {"abc"}})
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
	for _, address := range addresses {
		response, err := browser.Get(address)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, address)
	}
}
