package data

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImport: documents are sent as they were exported, and a line that is too long is named.
func TestImport(t *testing.T) {
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sent = string(text)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"x"}`)
	}))
	t.Cleanup(server.Close)
	client := &Client{Address: server.URL, HTTP: server.Client()}
	first := `{"kind":"documents","collection":"c","value":{"a":"<&>"}}` + "\n"
	done, err := client.Import(t.Context(), strings.NewReader(first+strings.Repeat("x", maxLine)))
	require.Equal(t, 1, done.Saved)
	require.ErrorContains(t, err, "line 2: ")
	require.Contains(t, sent, `{"data":{"a":"<&>"}}`)
}
