package entrypoint_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/web"
)

func TestReservedPathsAreServedAsideOfTheVersion(t *testing.T) {
	f := newFixture(t)
	o := quick()
	o.WebOrigins = []string{page}
	o.Reserved = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if deadline := http.NewResponseController(w).SetWriteDeadline(time.Time{}); deadline != nil {
			http.Error(w, deadline.Error(), http.StatusInternalServerError)
		}
		fmt.Fprint(w, r.Method, " ", r.URL.Path)
	})
	f.serve(f.version(node(t, "a", f.says("a", true))), o)
	for path, mine := range map[string]bool{
		"/_krt": true, "/_krt/": true, "/_krt/a/b": true, "/%5Fkrt/a": true,
		"/": false, "/_krtx": false, "/x/_krt/": false, "/proto/": false,
	} {
		got := f.request(http.MethodGet, f.web+path, "", "Origin", page)
		require.Equal(t, mine, len(got.body) > 4 && got.body[:4] == "GET ", path)
		if mine {
			require.Equal(t, 200, got.status, got.body)
			require.Empty(t, got.header.Get("Access-Control-Allow-Origin"), "allowed origins may call the version, not read its dashboard")
		}
	}
	got := f.request(http.MethodPost, f.web+web.ReservedPath, "x")
	require.Equal(t, "POST /_krt/", got.body)
	got = f.request(http.MethodPost, f.web+"/test.Entrypoint/Call", `{"text":"hi"}`)
	require.Equal(t, 200, got.status, got.body)
}
