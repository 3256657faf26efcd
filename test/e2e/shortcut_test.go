package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// The entrypoint calls the only pod of a node straight. A changed config is
// answered by all from when on one answer has it.
func TestShortcutLeadsToThePodOfTheConfigInForce(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.In("create", "secret", "generic", "short-config", "--from-literal=SAYS=one")
	n.version("short", func(v *v1alpha1.Version) {
		v.Spec.Entrypoint.Delivery = v1alpha1.DeliveryDirect
		v.Spec.Config.Variables = []string{"SAYS"}
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
	})
	v := n.called("short")
	method, err := v.Method(t.Context(), "conformance.Entrypoint/One")
	require.NoError(t, err)
	says := func(want string) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		answer, err := method.Call(ctx, "{}")
		require.NoError(t, err)
		if answer != want {
			return fmt.Errorf("it says %s, not %s", answer, want)
		}
		return nil
	}
	require.NoError(t, says(`{"text":"one"}`))
	ip := n.In("get", "pods", "-l", "krt.dev/node=only", "-o", "jsonpath={.items[*].status.podIP}")
	n.Eventually(func() error { // Kubernetes writes them in its own time
		if got := n.In("get", "endpointslices", "-l", "kubernetes.io/service-name=short--only", "-o",
			"jsonpath={.items[*].endpoints[*].addresses[*]}:{.items[*].ports[*].port}"); got != ip+":8080" {
			return fmt.Errorf("behind the Service is %s, not the pod %s", got, ip)
		}
		return nil
	})

	// Each connection to the pod is asked whose it is, also through queue-proxy.
	for _, port := range []string{"8080", "8012"} {
		response, err := http.Get("http://" + net.JoinHostPort(ip, port) + "/readyz")
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "/krt/"+n.Name+"/short/only", response.Header.Get("Krt-Source"), port)
	}

	n.In("patch", "secret", "short-config", "--patch", `{"stringData": {"SAYS": "two"}}`)
	n.Eventually(func() error { return says(`{"text":"two"}`) })
	for range 50 {
		require.NoError(t, says(`{"text":"two"}`))
	}
}
