// Package conformance_test runs Knative's own conformance tests for ingresses
// on the cluster's: `make e2e-long`.
package conformance_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"knative.dev/networking/test"
	"knative.dev/networking/test/conformance/ingress"
)

// notServed is what the test ingress does not do: it has no TLS, and does not
// redirect to it.
const notServed = "tls,httpoption"

func TestIngress(t *testing.T) {
	if os.Getenv("KRT_E2E") == "" {
		t.Skip("needs the test cluster: make e2e-long")
	}
	prepare(t)
	registry := os.Getenv("KO_DOCKER_REPO")
	for name, value := range map[string]string{
		"ingressClass": "test.ingress.krt.dev", "skip-tests": notServed,
		"enable-beta": "true", "enable-alpha": "true",
		"imagetemplate": registry + "/{{.Name}}:latest",
	} {
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	ingress.RunConformance(t)
}

// prepare pushes the images of the tests, and makes the namespace that they want.
func prepare(t *testing.T) {
	t.Helper()
	args := []string{"build", "--sbom=none", "--base-import-paths", "--tags=latest"}
	for _, name := range []string{"grpc-ping", "httpproxy", "retry", "runtime", "timeout", "wsserver"} {
		args = append(args, "knative.dev/networking/test/test_images/"+name)
	}
	ko := exec.CommandContext(t.Context(), "ko", args...)
	ko.Env = append(os.Environ(), "KO_CONFIG_PATH=", "GOFLAGS=-buildvcs=false")
	if out, err := ko.CombinedOutput(); err != nil {
		t.Fatalf("ko %v: %v\n%s", args, err, out)
	}
	namespace := fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", test.ServingNamespace)
	apply := exec.CommandContext(t.Context(), "kubectl", "apply", "-f", "-")
	apply.Stdin = strings.NewReader(namespace)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("cannot make the namespace: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if err := exec.Command("kubectl", "delete", "namespace", test.ServingNamespace, "--wait=false").Run(); err != nil {
			t.Error(err)
		}
	})
}
