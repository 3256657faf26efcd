// Package e2e_test shows things on a real cluster with Knative: the one that
// `make cluster` starts, or any that KUBECONFIG and KO_DOCKER_REPO name.
package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long anything may take on a cluster that is busy.
const patience = 3 * time.Minute

// namespace is one test's own place on the cluster.
type namespace struct {
	t    *testing.T
	ctx  context.Context
	name string
}

// newNamespace makes a namespace that goes with the test. Without a cluster the
// test is skipped.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if os.Getenv("KRT_E2E") == "" {
		t.Skip("needs a cluster with Knative: make e2e")
	}
	n := &namespace{t: t, ctx: t.Context()}
	n.name = fmt.Sprintf("e2e-%s-%d", strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")), os.Getpid())
	n.kubectl("create", "namespace", n.name)
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if t.Failed() {
			t.Log(tell(ctx, n.name))
		}
		out, err := exec.CommandContext(ctx, "kubectl", "delete", "namespace", n.name, "--wait=false").CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	n.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=1m")
	return n
}

// tell shows what was there when a test failed.
func tell(ctx context.Context, name string) string {
	var all strings.Builder
	for _, args := range []string{"get ksvc,sequence,subscription,pods", "get events --sort-by=.lastTimestamp"} {
		out, err := exec.CommandContext(ctx, "kubectl", append(strings.Fields(args), "-n", name)...).CombinedOutput()
		fmt.Fprintf(&all, "kubectl %s: %v\n%s\n", args, err, out)
	}
	return all.String()
}

// run runs a program and returns what it prints.
func (n *namespace) run(input, name string, args ...string) string {
	n.t.Helper()
	var out, errs bytes.Buffer
	c := exec.CommandContext(n.ctx, name, args...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errs
	require.NoError(n.t, c.Run(), "%s %s\n%s%s", name, strings.Join(args, " "), &out, &errs)
	return strings.TrimSpace(out.String())
}

func (n *namespace) kubectl(args ...string) string {
	n.t.Helper()
	return n.run("", "kubectl", args...)
}

// in is kubectl in the test's namespace.
func (n *namespace) in(args ...string) string {
	n.t.Helper()
	return n.kubectl(append([]string{"--namespace", n.name}, args...)...)
}

func (n *namespace) apply(yaml string) {
	n.t.Helper()
	n.run(yaml, "kubectl", "apply", "--namespace", n.name, "-f", "-")
}

// ready waits for a resource's condition Ready and returns its address: the
// public URL of a service, the inner one of anything else.
func (n *namespace) ready(resource string) string {
	n.t.Helper()
	n.in("wait", "--for=condition=Ready", resource, "--timeout", patience.String())
	path := "{.status.address.url}"
	if strings.HasPrefix(resource, "ksvc/") {
		path = "{.status.url}"
	}
	return n.in("get", resource, "-o", "jsonpath="+path)
}

// image is the test program's, built and pushed once for all tests.
var image = sync.OnceValues(func() (string, error) {
	c := exec.Command("ko", "build", "--sbom=none", "./app")
	// Neither the repository's configuration of ko nor its history is of use here.
	c.Env = append(os.Environ(), "KO_CONFIG_PATH=", "GOFLAGS=-buildvcs=false")
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("ko build: %w\n%s", err, &errs)
	}
	return strings.TrimSpace(string(out)), nil
})

// service makes a Knative Service of the test program. More lines of its pod,
// indented like those here, may follow the container's.
func (n *namespace) service(name, annotations, more string) {
	n.t.Helper()
	n.apply(n.serviceYAML(name, annotations, more))
}

func (n *namespace) serviceYAML(name, annotations, more string) string {
	n.t.Helper()
	image, err := image()
	require.NoError(n.t, err)
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
`, name, annotations, image, more)
}

// get is the body of the answer, which must be 200. A host whose name is not
// known yet is asked again, as a browser's user would.
func (n *namespace) get(url string) string {
	n.t.Helper()
	body := ""
	n.eventually(func() error {
		request, err := http.NewRequestWithContext(n.ctx, http.MethodGet, url, http.NoBody)
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

// eventually asks until there is no error.
func (n *namespace) eventually(f func() error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.ctx, patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			require.NoError(n.t, err, "not within %s", patience)
		case <-tick.C:
		}
	}
}

// set changes one of Knative's settings for the time of the test.
func (n *namespace) set(configMap, in, key, value string) {
	n.t.Helper()
	patch := func(v any) string {
		text, err := json.Marshal(map[string]any{"data": map[string]any{key: v}})
		require.NoError(n.t, err)
		return string(text)
	}
	var before struct{ Data map[string]string }
	require.NoError(n.t, json.Unmarshal([]byte(n.kubectl("get", "configmap", configMap, "-n", in, "-o", "json")), &before))
	var back any // null takes the key away again
	if old, ok := before.Data[key]; ok {
		back = old
	}
	restore := patch(back)
	n.kubectl("patch", "configmap", configMap, "-n", in, "--type=merge", "--patch", patch(value))
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, "kubectl", "patch", "configmap", configMap, "-n", in, "--type=merge", "--patch", restore).CombinedOutput()
		require.NoError(n.t, err, "%s", out)
	})
}
