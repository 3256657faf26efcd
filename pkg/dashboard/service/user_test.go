package service

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/cluster"
)

// signedIn makes users of an API server that accepts every token as the name of a user.
func signedIn(t *testing.T) *users {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","status":{"userInfo":{"username":%q}}}`,
			r.Header.Get("Authorization"))
	}))
	u := newUsers(Config{Namespaces: []string{"team"}, CheckTime: time.Hour}, func(token, namespace string) (*cluster.Client, error) {
		return cluster.New(&rest.Config{Host: api.URL, BearerToken: token}, namespace)
	})
	t.Cleanup(func() {
		for key := range u.present() {
			u.drop(key)
		}
		api.Close()
	})
	return u
}

// visit is a request of a token's user; it ends with the returned function.
func visit(t *testing.T, u *users, token string) (end func(), err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = u.of(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody), token)
	return func() {
		cancel()
		require.Eventually(t, func() bool { return u.present()[keyOf(token)].open == 0 }, time.Minute, time.Millisecond)
	}, err
}

func keyOf(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

func TestUsersAreBounded(t *testing.T) {
	u := signedIn(t)
	ends := make([]func(), maxUsers)
	for i := range maxUsers {
		end, err := visit(t, u, fmt.Sprint("token-", i))
		require.NoError(t, err)
		ends[i] = end
	}
	_, err := visit(t, u, "late")
	require.ErrorIs(t, err, errTooMany)

	// Who has had no page open for the longest time gives way, and nobody with a page.
	ends[7]()
	ends[3]()
	_, err = visit(t, u, "late")
	require.NoError(t, err)
	present := u.present()
	require.Len(t, present, maxUsers)
	require.NotContains(t, present, keyOf("token-7"))
	require.Contains(t, present, keyOf("token-3"))
	_, err = visit(t, u, "later")
	require.NoError(t, err)
	require.NotContains(t, u.present(), keyOf("token-3"))
	_, err = visit(t, u, "last")
	require.ErrorIs(t, err, errTooMany)
}

func TestIdleUsersAreForgotten(t *testing.T) {
	u := signedIn(t)
	at := time.Now()
	u.now = func() time.Time { return at }
	_, err := visit(t, u, "looks")
	require.NoError(t, err)
	end, err := visit(t, u, "left")
	require.NoError(t, err)
	end()
	at = at.Add(idleTime)
	u.sweepOnce(t.Context())
	require.Len(t, u.present(), 2)
	at = at.Add(time.Second)
	u.sweepOnce(t.Context())
	require.NotContains(t, u.present(), keyOf("left"))
	require.Contains(t, u.present(), keyOf("looks"), "a page is open")
}
