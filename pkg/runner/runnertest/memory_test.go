package runnertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestQueriesFindWhatTheStoreFinds holds the double to the cases that the store is
// held to.
func TestQueriesFindWhatTheStoreFinds(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "store", "testdata", "queries.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Query         json.RawMessage
		Found, Others []json.RawMessage
		Error         string
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(string(c.Query), func(t *testing.T) {
			m := &memory{}
			for _, document := range slices.Concat(c.Found, c.Others) {
				if status, body := post(m, "/v1/collections/c", `{"data":`+string(document)+`}`); status != http.StatusCreated {
					t.Fatal(body)
				}
			}
			status, body := post(m, "/v1/collections/c/find", `{"query":`+string(c.Query)+`}`)
			if c.Error != "" {
				var failure struct{ Error string }
				if json.Unmarshal([]byte(body), &failure) != nil || status != http.StatusBadRequest || !strings.Contains(failure.Error, c.Error) {
					t.Errorf("status %d: %s", status, body)
				}
				return
			}
			var answer struct{ Documents []map[string]any }
			if json.Unmarshal([]byte(body), &answer) != nil || status != http.StatusOK || len(answer.Documents) != len(c.Found) {
				t.Fatalf("status %d: %s", status, body)
			}
			for _, document := range answer.Documents {
				if document["_id"] == nil {
					t.Errorf("no _id: %v", document)
				}
			}
		})
	}
}

func post(m *memory, path, body string) (int, string) {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewBufferString(body)))
	return w.Code, w.Body.String()
}
