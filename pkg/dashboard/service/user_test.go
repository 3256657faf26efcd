package service

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/cluster"
)

// server is an API server that accepts a token as the name of its user, up to a hyphen.
type server struct {
	*httptest.Server
	// revoked are tokens that are not accepted; for hangs, until it is closed, there is no response.
	revoked sync.Map
	hangs   chan struct{}
	hang    atomic.Bool
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{hangs: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		_, revoked := s.revoked.Load(token)
		if s.hang.Load() {
			<-s.hangs
		}
		name, _, _ := strings.Cut(token, "-")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case revoked:
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`)
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
		default:
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","status":{"userInfo":{"username":%q}}}`, name)
		}
	}))
	t.Cleanup(func() { close(s.hangs); s.Close() })
	return s
}

// signedIn makes users of an API server.
func signedIn(t *testing.T, api *server) *users {
	t.Helper()
	u := newUsers(Config{Namespaces: []string{"team"}, CheckTime: time.Hour}, func(token, namespace string) (*cluster.Client, error) {
		return cluster.New(&rest.Config{Host: api.URL, BearerToken: token}, namespace)
	})
	u.patience = time.Minute // a busy machine's
	t.Cleanup(u.close)
	return u
}

// tokens are the users that are known, with how many requests are open.
func (u *users) tokens() map[key]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := map[key]int{}
	for key, known := range u.known {
		all[key] = len(known.open)
	}
	return all
}

// visit is a request of a token's user; it ends with the returned function.
func visit(t *testing.T, u *users, token string) (during context.Context, end func(), err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := u.of(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody), token)
	if err == nil {
		ctx = r.Context()
	}
	return ctx, func() {
		cancel()
		require.Eventually(t, func() bool { return u.tokens()[keyOf(token)] == 0 }, time.Minute, time.Millisecond)
	}, err
}

func keyOf(token string) key { return sha256.Sum256([]byte(token)) }

func TestUsersAreBounded(t *testing.T) {
	u := signedIn(t, newServer(t))
	ends := make([]func(), maxUsers)
	for i := range maxUsers {
		_, end, err := visit(t, u, fmt.Sprintf("u%d-token", i))
		require.NoError(t, err)
		ends[i] = end
	}
	_, _, err := visit(t, u, "late")
	require.ErrorIs(t, err, errTooMany)

	// Who has had no page open for the longest time gives way, and nobody with a page.
	ends[7]()
	ends[3]()
	_, _, err = visit(t, u, "late")
	require.NoError(t, err)
	present := u.tokens()
	require.Len(t, present, maxUsers)
	require.NotContains(t, present, keyOf("u7-token"))
	require.Contains(t, present, keyOf("u3-token"))
	_, _, err = visit(t, u, "later")
	require.NoError(t, err)
	require.NotContains(t, u.tokens(), keyOf("u3-token"))
	_, _, err = visit(t, u, "last")
	require.ErrorIs(t, err, errTooMany)
}

// One user with many tokens does not keep others out, and can use the newest.
func TestTokensOfOneUserAreBounded(t *testing.T) {
	u := signedIn(t, newServer(t))
	first, _, err := visit(t, u, "me-0")
	require.NoError(t, err)
	for i := range maxUsers {
		_, _, err := visit(t, u, fmt.Sprintf("me-%d", i+1))
		require.NoError(t, err)
	}
	require.Len(t, u.tokens(), maxTokens)
	require.Contains(t, u.tokens(), keyOf(fmt.Sprintf("me-%d", maxUsers)))
	require.Equal(t, errGaveWay, context.Cause(first))
	_, _, err = visit(t, u, "other")
	require.NoError(t, err)
}

func TestIdleUsersAreForgotten(t *testing.T) {
	u := signedIn(t, newServer(t))
	at := time.Now()
	u.now = func() time.Time { return at }
	_, _, err := visit(t, u, "looks")
	require.NoError(t, err)
	_, end, err := visit(t, u, "left")
	require.NoError(t, err)
	end()
	at = at.Add(idleTime)
	u.sweepOnce(t.Context())
	require.Len(t, u.tokens(), 2)
	at = at.Add(time.Second)
	u.sweepOnce(t.Context())
	require.NotContains(t, u.tokens(), keyOf("left"))
	require.Contains(t, u.tokens(), keyOf("looks"), "a page is open")
}

// A user who comes back while it is looked who has left keeps what the page shows.
func TestWhoComesBackIsNotForgotten(t *testing.T) {
	u := signedIn(t, newServer(t))
	_, end, err := visit(t, u, "back")
	require.NoError(t, err)
	end()
	at, during := time.Now().Add(checkTime+idleTime), t.Context()
	u.known[keyOf("back")].checked = at
	comes := sync.OnceFunc(func() { during, _, err = visit(t, u, "back") })
	u.now = func() time.Time {
		if u.mu.TryLock() { // nothing is decided yet
			u.mu.Unlock()
			u.now = func() time.Time { return at }
			comes()
		}
		return at
	}
	u.sweepOnce(t.Context())
	require.NoError(t, err)
	require.NoError(t, during.Err())
	require.Contains(t, u.tokens(), keyOf("back"))
}

// A page that is open ends when its token does, and not when nobody knows whether it has.
func TestPagesEndWithTheirToken(t *testing.T) {
	api := newServer(t)
	u := signedIn(t, api)
	during, _, err := visit(t, u, "me-1")
	require.NoError(t, err)
	other, _, err := visit(t, u, "me-2")
	require.NoError(t, err)
	u.patience = 10 * time.Millisecond
	api.hang.Store(true)
	u.sweepOnce(t.Context()) // it does not wait for long
	require.NoError(t, during.Err())
	_, _, err = visit(t, u, "stranger")
	require.Error(t, err)
	require.False(t, isUnauthorized(err))

	api.hang.Store(false)
	u.patience = time.Minute
	api.revoked.Store("me-1", true)
	u.sweepOnce(t.Context())
	<-during.Done()
	require.Equal(t, errOver, context.Cause(during))
	require.NoError(t, other.Err())
}
