package controller

import (
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// shortcut is a version with the Service of a node that has one pod, made again
// when it is lost, and gone when the node may have more.
func shortcut(p *place) {
	p.version("v", direct, func(v *v1alpha1.Version) {
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{Min: new(int32(1)), Max: new(int32(1))}
	})
	p.started("v")
	way := &corev1.Service{}
	require.True(p, p.read("v--node", way))
	require.Equal(p, "v-node", way.Spec.Selector["serving.knative.dev/service"])
	uid := way.UID
	require.NoError(p, p.Delete(p.Context(), way))
	require.True(p, p.soon(func() bool { return p.read("v--node", way) && way.UID != uid }), "it is made again")

	p.ask("v", v1alpha1.StateStopped)
	p.phase("v", v1alpha1.PhaseStopped)
	p.gone("v--node", way)
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}},
		`{"spec": {"nodes": [{"name": "node", "image": "example.com/node", "scale": {"min": 1, "max": 2}}]}}`)
	p.ask("v", v1alpha1.StateStarted)
	p.started("v")
	require.False(p, p.read("v--node", way))
}
