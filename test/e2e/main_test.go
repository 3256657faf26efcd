// Package e2e_test shows things on a real cluster with Knative: the one that
// `make cluster` starts, or any that KUBECONFIG and KO_DOCKER_REPO name.
package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"krt.dev/kn-krt/test/namespace"
)

// place is a test's namespace, with Knative Services of the test program.
type place struct {
	*namespace.Namespace
	t *testing.T
}

func newPlace(t *testing.T) place {
	t.Helper()
	return place{namespace.New(t), t}
}

// service makes a Knative Service of the test program. More lines of its pod,
// indented like those here, may follow the container's.
func (n place) service(name, annotations, more string) {
	n.t.Helper()
	n.Apply(n.serviceYAML(name, annotations, more))
}

func (n place) serviceYAML(name, annotations, more string) string {
	n.t.Helper()
	return fmt.Sprintf(`
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: %[1]s}
spec:
  template:
    metadata: {annotations: {%[2]s}}
    spec:
      containers:
      - image: %[3]s
        env: [{name: NAME, value: %[1]s}]
%[4]s
`, name, annotations, n.Image("test/e2e/app"), more)
}

// get is the body of the answer, which must be 200. A host whose name is not
// known yet is asked again, as a browser's user would.
func (n place) get(url string) string {
	n.t.Helper()
	body := ""
	n.Eventually(func() error {
		request, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		request.Header.Set("X-Test", "seen")
		status, text, err := do(http.DefaultClient, request)
		body = text
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%s: %d %s", url, status, text)
		}
		return err
	})
	return body
}

func do(client *http.Client, request *http.Request) (status int, text string, err error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}
