package entrypoint_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/event"
)

// A client repeats 429: no status of a size that stays what it is.
func TestASizeIsNoOverload(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.MaxMessageBytes = 1000
	f.serve(f.version(node(t, "a", func(_ context.Context, in *event.Event) (int, *event.Event) {
		text := f.textOf(in.Data)
		reply := strings.Repeat("x", 2000)
		if text == "json" {
			reply = strings.Repeat("\x01", 900) // six bytes each in JSON
		}
		return http.StatusOK, in.Next("/krt/test/v1/a", event.TypeMessage, "test.Reply", f.text("test.Reply", reply))
	})), o)
	zip := []string{"Content-Encoding", "gzip"}
	large := strings.Repeat("x", 3000)
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
		text   string
	}{
		"a request":                  {`{"text":"` + large + `"}`, nil, 413, "(max-message-bytes)"},
		"a compressed one":           {string(gzipped(t, `{"text":"`+large+`"}`)), zip, 413, "(max-message-bytes)"},
		"a response":                 {`{}`, nil, 422, `node \"a\": its response is too large`},
		"a response, not transcoded": {`{}`, []string{"Accept-Encoding", "identity"}, 422, `(max-message-bytes)`},
		"a response that grows":      {`{"text":"json"}`, nil, 422, "exceeded"},
		"that, not transcoded":       {`{"text":"json"}`, []string{"Accept-Encoding", "identity"}, 422, "exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			header := append([]string{"Content-Type", "application/json"}, c.header...)
			got := f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", c.body, header...)
			require.Equal(t, c.status, got.status, got.body)
			require.Contains(t, got.body, "resource_exhausted")
			require.Contains(t, got.body, c.text)
		})
	}
	got := f.request(http.MethodPost, f.web+"/workflows/flow", "{}", binaryEvent("flow", "application/json")...)
	require.Equal(t, http.StatusUnprocessableEntity, got.status, got.body)
	require.Contains(t, got.body, event.ReasonTooLarge)
}
