package runtime

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func replace(message, namespace string) string { return strings.ReplaceAll(message, namespace, "NS") }

// host is the active Ingress's, empty if there is none.
func (p *place) host() string {
	p.Helper()
	var list networkingv1.IngressList
	require.NoError(p, cluster.List(p.Context(), &list, client.InNamespace(p.namespace)))
	if len(list.Items) == 0 {
		return ""
	}
	return list.Items[0].Spec.Rules[0].Host
}

func TestSettingsAreFollowedAndBadOnesAreNot(t *testing.T) {
	p := newPlace(t)
	p.version("a", "example.com/a")
	p.publish("a", "")
	p.published("a")
	require.Empty(t, p.host())

	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	config.Data = map[string]string{"ingress-domain": "one.example.com"}
	require.NoError(t, cluster.Create(t.Context(), config))
	t.Cleanup(func() { _ = cluster.Delete(context.Background(), config) })
	require.True(t, p.soon(func() bool { return p.host() == p.namespace+".one.example.com" }))

	config.Data = map[string]string{"ingress-domain": "two.example.com", "timeout": "never"}
	require.NoError(t, cluster.Update(t.Context(), config))
	require.True(t, p.soon(func() bool {
		var list eventsv1.EventList
		require.NoError(t, cluster.List(t.Context(), &list, client.InNamespace("krt-system")))
		for _, e := range list.Items {
			if e.Reason == "SettingsInvalid" && strings.Contains(e.Note, "timeout") {
				return true
			}
		}
		return false
	}), "it is told as an event")
	require.Equal(t, p.namespace+".one.example.com", p.host(), "the last good settings stay in force")

	config.Data = map[string]string{"ingress-domain": "two.example.com"}
	require.NoError(t, cluster.Update(t.Context(), config))
	require.True(t, p.soon(func() bool { return p.host() == p.namespace+".two.example.com" }))
	require.NoError(t, cluster.Delete(t.Context(), config))
	require.True(t, p.soon(func() bool { return p.host() == "" }))
}
