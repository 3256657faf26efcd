package apiserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/test/apiserver"
)

// do sends a JSON body and returns status and answer.
func do(t *testing.T, s *apiserver.Server, method, path, body string) (status int, object map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+s.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.NoError(t, json.NewDecoder(response.Body).Decode(&object))
	return response.StatusCode, object
}

func TestServer(t *testing.T) {
	s := apiserver.For(t, apiserver.KnativeCRDs())
	t.Run("serves Knative's kinds and checks their schemas", func(t *testing.T) { knativesKinds(t, s) })
	t.Run("refuses strangers", func(t *testing.T) { strangers(t, s) })
}

func knativesKinds(t *testing.T, s *apiserver.Server) {
	for _, tt := range []struct{ name, path, good, bad string }{
		{name: "a Service", path: "/apis/serving.knative.dev/v1/namespaces/default/services",
			good: `{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "hello"},
				"spec": {"template": {"spec": {"containers": [{"image": "example.com/hello"}]}}}}`,
			bad: `{"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "bad"}, "spec": {"template": "none"}}`},
		{name: "a Sequence", path: "/apis/flows.knative.dev/v1/namespaces/default/sequences",
			good: `{"apiVersion": "flows.knative.dev/v1", "kind": "Sequence", "metadata": {"name": "steps"},
				"spec": {"steps": [{"uri": "http://example.com"}]}}`,
			bad: `{"apiVersion": "flows.knative.dev/v1", "kind": "Sequence", "metadata": {"name": "bad"}, "spec": {"steps": "none"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, object := do(t, s, http.MethodPost, tt.path, tt.good)
			require.Equal(t, http.StatusCreated, status, object)
			require.InDelta(t, 1, object["metadata"].(map[string]any)["generation"], 0, "the apiserver counts generations")
			status, object = do(t, s, http.MethodPost, tt.path, tt.bad)
			require.Equal(t, http.StatusUnprocessableEntity, status, "the schema is checked: %v", object)
		})
	}
}

func strangers(t *testing.T, s *apiserver.Server) {
	stranger := *s
	stranger.Token = "wrong"
	status, _ := do(t, &stranger, http.MethodGet, "/api/v1/namespaces", "")
	require.Equal(t, http.StatusUnauthorized, status)
}

func TestAMissingProgramIsTold(t *testing.T) {
	_, err := apiserver.Start(t.Context(), t.TempDir(), apiserver.Options{Program: "/no/such/kube"})
	require.ErrorContains(t, err, "cannot start an apiserver: etcd: fork/exec /no/such/kube")
}
