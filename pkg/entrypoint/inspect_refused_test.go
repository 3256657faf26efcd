package entrypoint_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/capture"
	"krt.dev/kn-krt/pkg/inspection"
)

// An event that is refused has the whole wrong value in the decoder's error: what is kept of
// it is bounded.
func TestTheErrorOfARefusedEventIsBounded(t *testing.T) {
	f := newFixture(t)
	o, lines := logged()
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	c, err := inspection.New(f.inspect, nil)
	require.NoError(t, err)
	long := strings.Repeat("x", 1<<20)
	response := f.request(http.MethodPost, f.web+"/workflows/flow", `{"count": "`+long+`"}`, binaryEvent("x", "application/json")...)
	require.Equal(t, http.StatusBadRequest, response.status)
	response = f.request(http.MethodPost, f.web+"/workflows/flow", `{"`+long+`": 1}`, binaryEvent("x", "application/json")...)
	require.Equal(t, http.StatusBadRequest, response.status)
	require.Less(t, len(response.body), 4096)
	response = f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"`+long+`": 1}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusBadRequest, response.status)
	require.Less(t, len(response.body), 4096)
	list, err := c.List(t.Context(), inspection.Filter{})
	require.NoError(t, err)
	require.Len(t, list, 3)
	for _, r := range list[1:] {
		require.Contains(t, r.Error, "the data is not a test.Request in JSON")
		require.Less(t, len(r.Error), 4096)
	}
	require.Less(t, len(lines.String()), 16<<10)
}

// Where values must not be kept, those that a decoder quotes are neither kept nor logged.
func TestARefusedEventIsNotQuotedWhereValuesAreRedacted(t *testing.T) {
	for name, c := range map[string]struct {
		settings *capture.Settings
		quoted   bool
	}{
		"nothing is redacted": {&capture.Settings{}, true},
		"redacted":            {&capture.Settings{Redact: []string{"text"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			o, lines := logged()
			kept := f.inspecting(f.version(node(t, "a", f.says("a", true))), c.settings, o)
			response := f.request(http.MethodPost, f.web+"/workflows/flow", `{"text": 4111}`, binaryEvent("x", "application/json")...)
			require.Equal(t, http.StatusBadRequest, response.status)
			require.Contains(t, response.body, "4111", "its own producer may read it")
			list, err := kept.List(t.Context(), inspection.Filter{})
			require.NoError(t, err)
			require.Contains(t, list[0].Error, "the data is not a test.Request in JSON")
			require.Equal(t, c.quoted, strings.Contains(list[0].Error, "4111"))
			require.Contains(t, lines.String(), "the data is not a test.Request in JSON")
			require.Equal(t, c.quoted, strings.Contains(lines.String(), "4111"))
		})
	}
}
