package entrypoint

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// odd is a message over which package proto panics: an entry of the map named has a key that is
// a string, and one that is a number.
const odd = "\x4a\x05\x0a\x01k\x08\x01"

func TestMalformedMapsAreErrors(t *testing.T) {
	says := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Ce-Dataschema"] = []string{"https://type.googleapis.com/test.Request"}
		for _, name := range []string{"Ce-Specversion", "Ce-Id", "Ce-Source", "Ce-Type", "Ce-Correlationid", "Ce-Krtworkflow", "Content-Type"} {
			w.Header()[name] = r.Header[name]
		}
		_, _ = w.Write([]byte(odd))
	}
	for name, c := range map[string]struct {
		node             http.HandlerFunc
		path, kind, body string
		code             int
		want             string
	}{
		"a producer's event": {echo, "/workflows/flow", "application/protobuf", odd, http.StatusBadRequest, "the data is not a test.Request"},
		"a node's message": {says, "/test.Entrypoint/Call", "application/json", "{}", http.StatusInternalServerError,
			"the response cannot be written as JSON: it is malformed"},
		"a node's event": {says, "/workflows/flow", "application/json", "{}", http.StatusInternalServerError,
			"the response cannot be written as JSON: it is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			if strings.HasPrefix(c.path, "/workflows") {
				r.Header.Set("Ce-Specversion", "1.0")
				r.Header.Set("Ce-Id", "1")
				r.Header.Set("Ce-Source", "/test")
				r.Header.Set("Ce-Type", "test.Request")
			}
			w := httptest.NewRecorder()
			webOf(t, c.node).ServeHTTP(w, r)
			require.Equal(t, c.code, w.Code, w.Body)
			require.Contains(t, w.Body.String(), c.want)
		})
	}
}
