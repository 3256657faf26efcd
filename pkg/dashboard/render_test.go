package dashboard

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// A file that fails on the way is not taken for the whole one; one that fails before is a page.
func TestFilesThatFail(t *testing.T) {
	d := &Dashboard{options: Options{Sources: One(sourcetest.New())}, assets: embeddedAssets()}
	d.templates = d.parse()
	for _, begun := range []bool{true, false} {
		server := httptest.NewServer(d.file(func(w http.ResponseWriter, _ *request) error {
			w.Header().Set("Content-Disposition", "attachment")
			if begun {
				_, _ = w.Write([]byte("half"))
				require.NoError(t, http.NewResponseController(w).Flush())
			}
			return &source.RefusedError{Text: "no more"}
		}))
		t.Cleanup(server.Close)
		response, err := server.Client().Get(server.URL)
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, response.Body.Close())
		if begun {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, http.StatusConflict, response.StatusCode)
		require.Empty(t, response.Header.Get("Content-Disposition"))
		require.Contains(t, string(text), "no more")
	}
}

// What a source cannot say is a page with its text and the status of the failure.
func TestErrorPages(t *testing.T) {
	for _, err := range []error{errors.New("cannot reach <the cluster>"), &source.RefusedError{Refusal: source.Forbidden, Text: "<no>"}} {
		server := serve(t, sourcetest.New(), func(o *Options) {
			o.Sources = func(*http.Request) (source.Source, error) { return nil, err }
		})
		for _, path := range []string{"/", atA, atA + "/logs", atA + "/actions/stop"} {
			status, page := get(t, server, path)
			require.Equal(t, explain(err).Status, status)
			require.Contains(t, page, "&lt;")
		}
		status, text := get(t, server, "/events")
		require.Equal(t, explain(err).Status, status)
		require.Equal(t, err.Error()+"\n", text)
	}
}

// A path with a slash at its end is that of the page without it; nobody else's site.
func TestSlashesAtTheEnd(t *testing.T) {
	server := serve(t, sourcetest.New(example("a-1", source.Ready)))
	server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]string{
		atA + "/": atA, atA + "/logs/?level=error": atA + "/logs?level=error", "/%2F%2Fexample.com/": "/%2F%2Fexample.com",
	} {
		response, err := server.Client().Get(server.URL + "/_krt" + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusMovedPermanently, response.StatusCode)
		require.Equal(t, "/_krt"+want, response.Header.Get("Location"))
	}
}

// What to do next is a command with a button that copies it, on every page that may say so.
func TestCommandsAreCopied(t *testing.T) {
	const command, button = "kn-krt run --inspect", `<code>kn-krt run --inspect</code><button type="button" class="copy"`
	refused := &source.RefusedError{Refusal: source.Unavailable, Text: "Nothing is kept.", Next: "keep them: " + command}
	m := sourcetest.New(example("a-1", source.Ready))
	m.Kept.Refuse, m.Logged.Refuse, m.Undrawn = refused, refused, refused
	server := serve(t, m)
	for _, path := range []string{"/requests", "/requests/4f1a", "/logs", "/metrics"} {
		_, page := get(t, server, atA+path)
		require.Contains(t, page, button, path)
		require.Contains(t, page, "/copy.js", path)
	}
	d := New(Options{Sources: One(m)})
	problem := explain(refused)
	for name, view := range map[string]any{
		"bundled": &bundledView{Problem: problem}, "predictions": &predictionsView{Problem: problem},
		"try": &tryView{Version: new(example("a-1", source.Ready)), Failure: problem}, "creation": &creationView{Problem: problem},
	} {
		var page strings.Builder
		require.NoError(t, d.templates[name].ExecuteTemplate(&page, "main", view), name)
		require.Contains(t, page.String(), button, name)
	}
}
