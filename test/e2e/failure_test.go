package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/namespace"
)

// A start that fails is never shown as started; what stands in its way is said
// with the node's name, and it continues by itself once that is fixed.
func TestFailedStarts(t *testing.T) {
	n := newRuntime(t)
	n.Set("config-krt", "krt-system", "start-timeout", "5s")
	n.version("gone", func(v *v1alpha1.Version) {
		v.Spec.Nodes[0].Image = "localhost:5000/nothing@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	})
	n.version("crash", func(v *v1alpha1.Version) {
		v.Spec.Nodes[0].Env = []v1alpha1.EnvVar{{Name: "CRASH", Value: "the model is not a model"}}
	})
	n.version("config", func(v *v1alpha1.Version) { v.Spec.Config.Variables = []string{"CURRENCY"} })

	n.condition("gone", "NodesReady", "ImageNotFound", `"only"`, "localhost:5000/nothing")
	n.condition("crash", "NodesReady", "Crashed", `"only"`, "the model is not a model")
	n.condition("config", "ConfigReady", "ConfigMissing", "CURRENCY", "config-config")
	for _, name := range []string{"gone", "crash", "config"} {
		n.phase(name, v1alpha1.PhaseStopped)
		require.Equal(t, "False", n.Get("version/"+name, "{.status.conditions[?(@.type=='Ready')].status}"))
		n.unreachable(name)
	}
	// Mended, it starts by itself.
	n.In("create", "secret", "generic", "config-config", "--from-literal=CURRENCY=EUR")
	n.answers(n.called("config"), "conformance.Entrypoint/One", "one", `{}`, `{"text": "config"}`)
	n.In("delete", "version", "config", "--timeout", namespace.Patience.String())
	n.nothingOf("config", "config-config") // the values are the user's
	require.Equal(t, "secret/config-config", n.In("get", "secret", "config-config", "-o", "name"))
}

// unreachable waits until no pod is behind a version's Service.
func (n place) unreachable(name string) {
	n.t.Helper()
	n.Eventually(func() error {
		if got := n.In("get", "endpointslices", "-l", "kubernetes.io/service-name="+name, "-o",
			"jsonpath={.items[*].endpoints[*].addresses}"); got != "" {
			return fmt.Errorf("behind Service %s are %s", name, got)
		}
		return nil
	})
}
