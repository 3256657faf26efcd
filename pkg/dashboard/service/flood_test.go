package service

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/cluster"
)

// Tokens that are not accepted leave nothing, however many come, and do not keep out a user who is known.
func TestAFloodOfTokensLeavesNothing(t *testing.T) {
	api := newServer(t)
	s := New(Config{Namespaces: []string{"team"}, SignIn: true}, slog.New(slog.DiscardHandler))
	s.users.connect = func(token, namespace string) (*cluster.Client, error) {
		return cluster.New(&rest.Config{Host: api.URL, BearerToken: token}, namespace)
	}
	t.Cleanup(s.users.close)
	ask := func(token string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/create", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.pages.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, ask("me"))
	var flood sync.WaitGroup
	for i := range 500 {
		token := fmt.Sprint("bad-", i)
		if i == 0 {
			token += strings.Repeat("x", 1<<20)
		}
		api.revoked.Store(token, true)
		flood.Go(func() { ask(token) })
	}
	require.Equal(t, http.StatusOK, ask("me"))
	flood.Wait()
	require.Len(t, s.users.tokens(), 1)
}
