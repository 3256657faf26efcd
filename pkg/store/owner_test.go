package store_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/sqlite"
)

// TestCollectionsNamedByDots: those of earlier releases are exported, found and deleted.
func TestCollectionsNamedByDots(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	mux, s := http.NewServeMux(), store.New(store.All(db), store.Options{Logger: log})
	mux.Handle("/", s.Handler())
	mux.Handle(data.Path, s.Owned())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, name := range []string{".", "..", "c"} {
		require.NoError(t, db.SaveDocument(t.Context(), store.Origin{Runtime: store.LocalRuntime}, name, store.Document{"_id": name}))
	}
	client := &data.Client{Address: server.URL, HTTP: server.Client()}
	var found []string
	keep := func(e data.Entry) error {
		found = append(found, e.Collection+" "+string(e.Value))
		return nil
	}
	require.NoError(t, client.Export(t.Context(), keep))
	require.Equal(t, []string{`. {"_id":"."}`, `.. {"_id":".."}`, `c {"_id":"c"}`}, found)
	found = nil
	require.NoError(t, client.Find(t.Context(), "..", map[string]any{"_id": "x"}, keep))
	require.Empty(t, found)
	n, err := client.Delete(t.Context(), data.Deletion{Kind: data.Documents, Collection: ".."})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}
