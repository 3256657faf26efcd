// Package gateway_test runs the conformance tests of the Gateway API on the cluster's gateway, for the
// features that it claims: `make e2e-long`.
package gateway_test

import (
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
)

// class is served by the cluster's gateway. It claims the core of these profiles, so that no extended
// feature is tested: no query parameters, rewrites, mirrors, timeouts, CORS, listener sets, TLS routes.
const class = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: krt-test}
spec: {controllerName: krt.dev/test-gateway}
`

func TestGateway(t *testing.T) {
	if os.Getenv("KRT_E2E") == "" {
		t.Skip("needs the test cluster: make e2e-long")
	}
	apply := exec.CommandContext(t.Context(), "kubectl", "apply", "--server-side", "-f", "-")
	apply.Stdin = strings.NewReader(class)
	out, err := apply.CombinedOutput()
	require.NoError(t, err, "%s", out)
	options := conformance.DefaultOptions(t)
	options.GatewayClassName = "krt-test"
	options.ConformanceProfiles = sets.New(suite.GatewayHTTPConformanceProfileName, suite.GatewayGRPCConformanceProfileName)
	options.CleanupBaseResources = true
	options.ManifestFS = []fs.FS{manifests(t, image(t))}
	conformance.RunConformanceWithOptions(t, options)
}

// image builds and pushes the server behind the gateway, and returns its name.
func image(t *testing.T) string {
	t.Helper()
	ko := exec.CommandContext(t.Context(), "ko", "build", "--sbom=none", "sigs.k8s.io/gateway-api/conformance/echo-basic")
	ko.Env = append(os.Environ(), "KO_CONFIG_PATH=", "GOFLAGS=-buildvcs=false")
	ko.Stderr = os.Stderr
	name, err := ko.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(name))
}

// manifests are the project's, with an image that the cluster has. That of a DNS server is for a test of
// UDP that is not run.
func manifests(t *testing.T, image string) fs.FS {
	t.Helper()
	theirs, all := regexp.MustCompile(`(gcr\.io/k8s-staging-gateway-api/echo-basic|registry\.k8s\.io/coredns/coredns):\S+`), fstest.MapFS{}
	err := fs.WalkDir(conformance.Manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := conformance.Manifests.ReadFile(path)
		all[path] = &fstest.MapFile{Data: theirs.ReplaceAll(text, []byte(image))}
		return err
	})
	require.NoError(t, err)
	return all
}
