package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// What the README tells a user to do.
func TestGreeterByKo(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.Python()
	n.Ko("apply", "--sbom=none", "--filename=functions/greeter/version.yaml", "--", "--namespace="+n.Name)
	v := n.called("greeter-v1")
	require.Equal(t, "Started", n.Get("version/greeter-v1", "{.status.phase}"))
	n.answers(v, "greeter.Entrypoint/Greet", "go-greeting", `{"name": "Ada"}`, `{"greeting": "Hello, Ada!", "greetedBy": "go-greeter"}`)
	n.answers(v, "greeter.Entrypoint/PyGreet", "py-greeting", `{"name": "Grace"}`, `{"greeting": "Hello, Grace!", "greetedBy": "py-greeter"}`)

	n.contractsService("greeter-v1", "greeter-v1")
	if _, err := exec.LookPath("kn"); err == nil {
		list := n.Run("", "kn", "service", "list", "--namespace", n.Name)
		require.Contains(t, list, "greeter-v1-go-greeter")
		require.Contains(t, list, "greeter-v1-py-greeter")
	}
	n.stopped("greeter-v1")
}

// contractsService checks a Service of an entrypoint field by field against KRT V1's.
func (n place) contractsService(service, version string) {
	n.t.Helper()
	var got corev1.Service
	require.NoError(n.t, json.Unmarshal([]byte(n.In("get", "service", service, "-o", "json")), &got))
	labels := map[string]string{"type": "entrypoint", "version-name": version + "-entrypoint"}
	require.Equal(n.t, labels, got.Labels)
	require.Equal(n.t, labels, got.Spec.Selector)
	require.Equal(n.t, corev1.ServiceTypeClusterIP, got.Spec.Type)
	require.Equal(n.t, corev1.ServiceAffinityNone, got.Spec.SessionAffinity)
	require.Equal(n.t, []corev1.ServicePort{
		{Name: "grpc", Protocol: "TCP", Port: 9000, TargetPort: intstr.FromInt32(9000)},
		{Name: "web", Protocol: "TCP", Port: 80, TargetPort: intstr.FromInt32(8080)},
	}, got.Spec.Ports)
}

// Four Python nodes of one image, and a config value.
func TestPriceEstimatorByKo(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.Python()
	n.storeReady()
	n.Ko("apply", "--sbom=none", "--filename=functions/price-estimator/version.yaml", "--", "--namespace="+n.Name)
	n.condition("price-estimator-v1", "ConfigReady", "", "OUTPUT_PRICE_CURRENCY", "price-estimator-v1-config")
	n.In("create", "secret", "generic", "price-estimator-v1-config", "--from-literal=OUTPUT_PRICE_CURRENCY=EUR")
	v := n.called("price-estimator-v1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	method, err := v.Method(ctx, "roomprice.Entrypoint/MakePrediction")
	require.NoError(t, err)
	answer, err := method.Call(ctx, `{"borough": "Manhattan", "roomType": "Entire home", "accommodates": 2, "bedrooms": 1,
		"bathrooms": 1, "beds": 1, "latitude": 40.75, "longitude": -73.98}`)
	require.NoError(t, err)
	require.Contains(t, answer, `"EUR"`)
	n.answers(v, "roomprice.Entrypoint/SaveMetrics", "save-metrics",
		`{"predictedCategory": "low", "trueCategory": "mid"}`, `{"success": true, "message": "saved"}`)
}

func TestTwoEntrypoints(t *testing.T) {
	t.Parallel()
	n := newRuntime(t)
	n.version("pair", func(v *v1alpha1.Version) { v.Spec.Entrypoint.Replicas = new(int32(2)) })
	v := n.called("pair")
	n.Eventually(func() error { // a version is ready with the first of them
		if got := n.Get("deployment/pair-entrypoint", "{.status.readyReplicas}"); got != "2" {
			return fmt.Errorf("%q entrypoints are ready", got)
		}
		return nil
	})
	require.Equal(t, "1", n.Get("pdb/pair-entrypoint", "{.spec.maxUnavailable}"))
	for range 8 { // callers of both
		n.answers(v, "conformance.Entrypoint/One", "one", `{}`, `{"text": "pair"}`)
	}
}
