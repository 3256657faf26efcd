package dashboard

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/dashboard/sourcetest"
	"krt.dev/kn-krt/pkg/dashboard/word"
)

// hostile is a text that must never become markup.
const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>{{.}}` + "`'\"\u202e"

// example is a version with all that a page can show.
func example(name string, state source.State) source.Version {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	return source.Version{
		Ref: source.Ref{Namespace: "team", Name: name}, Description: "Prices of houses", State: state, Phase: word.State(state),
		Created: at, Comment: "first try", Delivery: "Direct",
		Nodes: []source.Node{
			{Name: "etl", State: state, Image: "registry/etl@sha256:1", Pods: 1},
			{Name: "model", State: source.Asleep, Image: "registry/model@sha256:2"},
		},
		Workflows: []source.Workflow{{Name: "predict", Method: "price.Estimator/Predict", Nodes: []string{"etl", "model"}, State: state}},
	}
}

// serve starts a dashboard on the source.
func serve(t *testing.T, m *sourcetest.Memory, change ...func(*Options)) *httptest.Server {
	t.Helper()
	o := Options{Sources: One(m), Prefix: "/_krt", Title: "Test"}
	for _, c := range change {
		c(&o)
	}
	server := httptest.NewServer(New(o))
	t.Cleanup(server.Close)
	return server
}

// get reads a page below the prefix.
func get(t *testing.T, server *httptest.Server, path string) (status int, page string) {
	t.Helper()
	response, err := server.Client().Get(server.URL + "/_krt" + path)
	require.NoError(t, err)
	return read(t, response)
}

// post sends a form, and does not follow the redirect.
func post(t *testing.T, server *httptest.Server, path string, form url.Values) (response *http.Response, page string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/_krt"+path, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err = http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	_, page = read(t, response)
	return response, page
}

func read(t *testing.T, response *http.Response) (status int, text string) {
	t.Helper()
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(all)
}
