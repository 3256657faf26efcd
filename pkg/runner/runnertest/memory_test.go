package runnertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"krt.dev/kn-krt/pkg/runner/store/storetest"
)

func TestQueriesFindWhatTheStoreFinds(t *testing.T) {
	storetest.Queries(t, func(t *testing.T, documents []json.RawMessage, query json.RawMessage) ([]json.RawMessage, error) {
		m := &memory{}
		for _, document := range documents {
			if status, body := post(m, "/v1/collections/c", `{"data":`+string(document)+`}`); status != http.StatusCreated {
				t.Fatal(body)
			}
		}
		status, body := post(m, "/v1/collections/c/find", `{"query":`+string(query)+`}`)
		var response struct {
			Documents []json.RawMessage
			Error     string
		}
		if err := json.Unmarshal([]byte(body), &response); err != nil {
			t.Fatal(err)
		}
		if status == http.StatusBadRequest && response.Error != "" {
			return nil, errors.New(response.Error)
		}
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		return response.Documents, nil
	})
}

func TestDocumentsThatTheStoreRefuses(t *testing.T) {
	for document, want := range storetest.Refused() {
		status, body := post(&memory{}, "/v1/collections/c", `{"data":`+document+`}`)
		if status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Fatalf("%s: status %d: %s", document, status, body)
		}
	}
}

func post(m *memory, path, body string) (int, string) {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewBufferString(body)))
	return w.Code, w.Body.String()
}
