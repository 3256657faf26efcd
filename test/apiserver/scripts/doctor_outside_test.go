package scripts

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// The row is there for those who have asked for it by a setting.
func TestDoctorKnowsWhatIsReachableFromOutside(t *testing.T) {
	n := newClinic(t)
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	settings.Data = map[string]string{"gateway": "gateways/public"}
	n.create(settings)
	n.finds(" I outside: setting gateway has no effect: neither ingress-domain nor ingress-web-domain is set",
		`kubectl patch configmap config-krt -n krt-system --type merge -p '{"data":{"ingress-domain":"grpc.example.com"}}'`)
	settings.Data["ingress-domain"] = "grpc.example.com"
	require.NoError(t, n.client.Update(t.Context(), settings))
	n.finds("++ outside: nothing is published; the host of what will be is default.grpc.example.com", "")

	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: "default"}}
	n.create(rt)
	rt.MarkPublished("a", metav1.Now())
	require.NoError(t, n.client.Status().Update(t.Context(), rt))
	n.finds(` I outside: Gateway "public" of namespace "gateways": the controller has not reported yet about default.grpc.example.com`, "")
	rt.MarkUnreachable(v1alpha1.ReasonGatewayNotFound, "it does not exist")
	require.NoError(t, n.client.Status().Update(t.Context(), rt))
	n.finds(" I outside: it does not exist", "")
	rt.MarkReachable("it routes")
	require.NoError(t, n.client.Status().Update(t.Context(), rt))
	n.finds(`++ outside: version "a": it routes`, "")

	delete(settings.Data, "gateway")
	require.NoError(t, n.client.Update(t.Context(), settings))
	n.finds(`++ outside: version "a" has Ingresses for default.grpc.example.com`, "")
}
