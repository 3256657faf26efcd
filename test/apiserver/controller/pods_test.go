package controller

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// podsFound is a version whose entrypoint finds the pods of its node by a Service: those of the template in
// force. A version that an older kn-krt has started has none, until it is restarted.
func podsFound(p *place) {
	p.version("v", direct)
	p.started("v")
	way, node := &corev1.Service{}, &servingv1.Service{}
	follows := func() bool {
		return p.read("v---node", way) && p.read("v-node", node) &&
			way.Spec.Selector["krt.dev/template-hash"] == node.Spec.Template.Labels["krt.dev/template-hash"]
	}
	require.True(p, p.soon(follows))
	require.Equal(p, corev1.ClusterIPNone, way.Spec.ClusterIP)
	require.Equal(p, "v-node", way.Spec.Selector["serving.knative.dev/service"])
	first := way.Spec.Selector["krt.dev/template-hash"]
	require.NotEmpty(p, first)
	require.NoError(p, p.Delete(p.Context(), way))
	require.True(p, p.soon(follows), "it is made again")

	with := func(text string) { p.patchStatus(p.started("v"), `{"status": {"startedWith": `+text+`}}`) }
	with(`{"settings": {"scale-target": "7"}}`)
	require.True(p, p.soon(func() bool { return follows() && way.Spec.Selector["krt.dev/template-hash"] != first }))

	// With one pod at most there is a shorter way.
	with(`{"settings": {"scale-min": "1", "scale-max": "1"}}`)
	p.gone("v---node", &corev1.Service{})
	p.there("v--node", &corev1.Service{})
	with(`{"settings": {"scale-max": "0"}}`)
	p.gone("v--node", &corev1.Service{})
	require.True(p, p.soon(follows))

	with(`{"kept": null}`)
	p.gone("v---node", &corev1.Service{})
	p.restart("v", "again")
	require.True(p, p.soon(follows))

	p.ask("v", v1alpha1.StateStopped)
	p.phase("v", v1alpha1.PhaseStopped)
	p.gone("v---node", &corev1.Service{})
}
