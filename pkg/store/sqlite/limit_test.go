package sqlite

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store"
)

// ask has a store answer a request with a body in JSON, if it has one.
func ask(t *testing.T, s *Store, method, path string, body any) (int, string) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	handler := store.New(store.All(s), store.Options{}).Handler()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(string(text))))
	return w.Code, w.Body.String()
}

// TestLimit: the file stays below its limit. The oldest measurements and
// predictions make room, documents do not.
func TestLimit(t *testing.T) {
	const limit = 1 << 20
	path := filepath.Join(t.TempDir(), "store.db")
	s := openTest(t, path, Options{MaxBytes: limit})
	filler := strings.Repeat("x", 20_000)
	for i := range 200 {
		status, body := ask(t, s, http.MethodPost, wire.PathMeasurements,
			map[string]any{"name": "m", "fields": map[string]any{"n": i, "filler": filler}})
		require.Equal(t, http.StatusCreated, status, body)
		status, body = ask(t, s, http.MethodPost, wire.PathPredictions, map[string]any{"predicted_value": filler})
		require.Equal(t, http.StatusCreated, status, body)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(limit))
	status, body := ask(t, s, http.MethodGet, wire.PathMeasurements, nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"n":199`)
	require.NotContains(t, body, `"n":0,`)

	documents := 0
	for ; ; documents++ {
		status, body = ask(t, s, http.MethodPost, wire.PathCollections+"c", map[string]any{"data": map[string]any{"filler": filler}})
		if status != http.StatusCreated {
			break
		}
		require.Less(t, documents, 200, "there is no limit")
	}
	require.Equal(t, http.StatusInsufficientStorage, status)
	require.Contains(t, body, "the store is full: its documents and dead letters have reached the limit of 1048576 bytes")
	status, body = ask(t, s, http.MethodPost, wire.PathCollections+"c/find", map[string]any{"query": map[string]any{}})
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, documents, strings.Count(body, `"filler"`), "none is lost")
	require.Greater(t, documents, 30)
	info, err = os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(limit))
}
