package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
)

// formPaths are all paths that take a form.
func formPaths(d *Dashboard) (all []string) {
	of := strings.NewReplacer("{ns}", "team", "{v}", "a-1", "{$}", "")
	for _, p := range d.pages {
		at := strings.TrimSuffix(of.Replace(p.route()), "/")
		for name := range p.forms {
			all = append(all, strings.TrimSuffix(at+"/"+name, "/"))
		}
		for name := range p.posts {
			all = append(all, strings.TrimSuffix(at+"/"+name, "/"))
		}
	}
	return append(all, atA+"/actions/stop", "/create")
}

// What a browser has not sent as a form is its own fault, not one of the cluster behind the page.
func TestMalformedFormsAreTheSendersFault(t *testing.T) {
	const plain, parts = "application/x-www-form-urlencoded", "multipart/form-data"
	d := New(Options{Sources: One(sourcetest.New(example("a-1", source.Ready))), Creating: Creating{
		Create: func(Creation) (string, error) { return "", nil },
	}})
	paths := formPaths(d)
	require.Len(t, paths, 6)
	for _, path := range paths {
		for name, tt := range map[string]struct {
			kind, query, body string
			status            int
		}{
			"an escape that is none":   {plain, "", "comment=%zz", 400},
			"a query that is none":     {plain, "?a=%zz", "", 400},
			"no boundary":              {parts, "", "x", 400},
			"no part":                  {parts + "; boundary=x", "", "", 400},
			"a part that does not end": {parts + "; boundary=x", "", "--x\r\nContent-Disposition: form-data; name=namespace\r\n\r\nte", 400},
			"a header that is none":    {parts + "; boundary=x", "", "--x\r\nno header\r\n\r\n", 400},
			"a bundle that does not end": {parts + "; boundary=x", "", "--x\r\nContent-Disposition: form-data; name=namespace\r\n\r\nteam\r\n" +
				"--x\r\nContent-Disposition: form-data; name=bundle; filename=a.krt\r\n\r\nPK", 400},
			"too many headers": {parts + "; boundary=x", "", "--x\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n\r\n--x--", 413},
		} {
			r := httptest.NewRequest(http.MethodPost, path+tt.query, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			require.Equal(t, tt.status, w.Code, "%s: %s: %s", path, name, w.Body)
			if tt.status == http.StatusBadRequest {
				require.Contains(t, w.Body.String(), "the form that was sent cannot be read: ")
			}
		}
	}
}
