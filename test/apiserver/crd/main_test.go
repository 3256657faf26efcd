// Package crd_test asks a real apiserver what the CRDs of config/ accept and what
// they refuse, and whether everything in config/ is an object to it.
package crd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/test/apiserver"
)

const (
	versions = "/apis/krt.dev/v1alpha1/namespaces/default/versions"
	runtimes = "/apis/krt.dev/v1alpha1/namespaces/default/runtimes"
	// dry has the apiserver check an object and not keep it.
	dry = "?dryRun=All"
)

// server is one for all tests, nil without Kubernetes: none of them leaves anything in it, or needs it empty.
var server *apiserver.Server

func TestMain(m *testing.M) {
	apiserver.Main(m, func(s *apiserver.Server) (func() error, error) {
		server = s
		return nil, nil
	}, apiserver.OurCRDs)
}

// object is anything that Kubernetes calls one.
type object = map[string]any

// answer is what the apiserver says to a request.
type answer struct {
	code    int
	body    object
	refused []string // each cause, as "field: message", of a refusal
}

// send makes a request with an object; the type is JSON, or for a patch a merge patch.
func send(t *testing.T, method, path string, o any) answer {
	t.Helper()
	apiserver.Need(t)
	body, err := json.Marshal(o)
	require.NoError(t, err)
	// Cleanups call it too, when the test's context is done.
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, server.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+server.Token)
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	a := answer{code: response.StatusCode}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&a.body))
	if a.code >= http.StatusBadRequest {
		a.refused = causes(a.body)
	}
	return a
}

// causes lists what a Status object says is wrong.
func causes(status object) []string {
	details, _ := status["details"].(object)
	list, _ := details["causes"].([]any)
	var all []string
	for _, c := range list {
		c := c.(object)
		// Where a schema is broken, the rules are not asked, and this says so.
		if strings.Contains(fmt.Sprint(c["message"]), "some validation rules were not checked") {
			continue
		}
		all = append(all, fmt.Sprintf("%v: %v", c["field"], c["message"]))
	}
	if all == nil {
		all = []string{fmt.Sprint(status["message"])}
	}
	return all
}

// requireAccepted tells the refusal where there is one.
func requireAccepted(t *testing.T, a answer) {
	t.Helper()
	require.Lessf(t, a.code, http.StatusBadRequest, "refused: %s", strings.Join(a.refused, "\n"))
}

// requireRefused wants exactly one cause, at a field, whose message ends in the text.
func requireRefused(t *testing.T, a answer, field, text string) {
	t.Helper()
	require.Equalf(t, http.StatusUnprocessableEntity, a.code, "%v", a.body)
	require.Lenf(t, a.refused, 1, "one cause:\n%s", strings.Join(a.refused, "\n"))
	at, message, _ := strings.Cut(a.refused[0], ": ")
	require.Equal(t, field, at, "%s", message)
	require.Truef(t, strings.HasSuffix(message, text), "%q\ndoes not end in\n%q", message, text)
}

// parse reads one YAML object.
func parse(t *testing.T, text string) object {
	t.Helper()
	var o object
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &o))
	return o
}
