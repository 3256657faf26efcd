package runtime

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render/outside"
)

// gatewayKind is a kind of the Gateway API.
func gatewayKind(kind string) schema.GroupVersionKind {
	return outside.RouteKind().GroupVersion().WithKind(kind)
}

// installGatewayAPI installs the kinds of the Gateway API, from the Go module with its types.
func installGatewayAPI(t *testing.T) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	require.NoError(t, err)
	crds := filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "standard")
	require.NoError(t, server.InstallCRDs(t.Context(), crds+"/*_gateways.yaml", crds+"/*_grpcroutes.yaml", crds+"/*_httproutes.yaml"))
}

// reachable waits until the condition Reachable has a reason, and returns its message; "" is for no condition.
func (p *place) reachable(reason string) string {
	p.Helper()
	message := ""
	p.until("reachable: "+reason, func(rt *v1alpha1.Runtime) bool {
		c := rt.Status.Condition(v1alpha1.ConditionReachable)
		if c != nil {
			message = c.Message
			return c.Reason == reason
		}
		return reason == ""
	})
	return message
}

// route reads a route of the namespace, nil if it is not there.
func (p *place) route(kind, name string) *unstructured.Unstructured {
	p.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(gatewayKind(kind))
	err := cluster.Get(p.Context(), client.ObjectKey{Namespace: p.namespace, Name: name}, u)
	require.NoError(p, client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	return u
}

// report writes what a gateway controller would about a route.
func (p *place) report(kind, name, status, reason string) {
	p.Helper()
	u := p.route(kind, name)
	require.NotNil(p, u)
	require.NoError(p, unstructured.SetNestedSlice(u.Object, []any{map[string]any{
		"controllerName": "example.com/gateway", "parentRef": map[string]any{"namespace": "default", "name": "public"},
		"conditions": []any{map[string]any{"type": "Accepted", "status": status, "reason": reason, "message": "because",
			"observedGeneration": u.GetGeneration(), "lastTransitionTime": "2026-01-01T00:00:00Z"}},
	}}, "status", "parents"))
	require.NoError(p, cluster.Status().Update(p.Context(), u))
}

func TestAGatewayRoutesToWhatIsPublished(t *testing.T) {
	p := newPlace(t)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	config.Data = map[string]string{"gateway": "default/public", "ingress-domain": "grpc.example.com", "ingress-web-domain": "api.example.com"}
	require.NoError(t, cluster.Create(t.Context(), config))
	t.Cleanup(func() { _ = cluster.Delete(context.Background(), config) })
	p.version("a", "example.com/a")
	p.publish("a", "")
	p.published("a")
	require.Contains(t, p.reachable(v1alpha1.ReasonGatewayAPIMissing), "are not installed")
	require.Empty(t, p.host(), "a gateway is used instead of an Ingress")

	installGatewayAPI(t)
	require.Contains(t, p.reachable(v1alpha1.ReasonGatewayNotFound), `Gateway "public" of namespace "default" does not exist`)
	gateway := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"gatewayClassName": "example", "listeners": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}},
	}}}
	gateway.SetGroupVersionKind(gatewayKind("Gateway"))
	gateway.SetNamespace("default")
	gateway.SetName("public")
	require.NoError(t, cluster.Create(t.Context(), gateway))
	p.reachable(v1alpha1.ReasonGatewayPending)

	p.report("GRPCRoute", "active-entrypoint", "True", "Accepted")
	p.report("HTTPRoute", outside.WebName, "False", "NotAllowedByListeners")
	require.Contains(t, p.reachable(v1alpha1.ReasonRouteNotAccepted), `HTTPRoute "active-entrypoint-web": NotAllowedByListeners: because`)
	p.report("HTTPRoute", outside.WebName, "True", "Accepted")
	require.Contains(t, p.reachable(v1alpha1.ReasonAccepted), p.namespace+".grpc.example.com and "+p.namespace+".api.example.com")
	before := p.route("HTTPRoute", outside.WebName)
	require.Equal(t, int64(1), before.GetGeneration(), "it is written once, whatever defaults the apiserver adds")

	// Without the domain of a port there is no route to it.
	config.Data = map[string]string{"gateway": "default/public", "ingress-domain": "grpc.example.com"}
	require.NoError(t, cluster.Update(t.Context(), config))
	require.True(t, p.soon(func() bool { return p.route("HTTPRoute", outside.WebName) == nil }))
	require.NotNil(t, p.route("GRPCRoute", "active-entrypoint"))

	p.publish("", "")
	p.reachable("")
	require.True(t, p.soon(func() bool { return p.route("GRPCRoute", "active-entrypoint") == nil }))
}
