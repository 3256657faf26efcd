package controller

import (
	"slices"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// A pod that is replaced while those that are to follow it do not start, or whose container starts again,
// finds the configuration that its program was made for.
func (p *place) podsOfBeforeFindTheirConfiguration(former *process) {
	former.stop()
	before := p.content("v")
	next := p.start(p.T, func(o *controller.Options) { o.EntrypointImage = "example.com/" + pretend.Broken })
	p.set(map[string]any{"timeout": "45s"})
	p.restart("v", "3")
	p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.StartedWith.Restart == "3" && !v.IsReady() && v.Status.Phase == v1alpha1.PhaseStarted
	})
	require.True(p, p.soon(func() bool { return p.content("v").Name != before.Name }))
	require.Contains(p, p.content("v").Data["entrypoint.json"], "45s")
	require.Len(p, p.contents("v"), 2)
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"spec": {"comment": "look again"}}`)
	p.until("v", func(v *v1alpha1.Version) bool { return v.Spec.Comment == "look again" })
	now := &corev1.ConfigMap{}
	require.True(p, p.read(before.Name, now), "pods of before mount it")
	require.Equal(p, before.Data, now.Data)

	next.stop()
	p.start(p.T)
	p.restart("v", "4")
	p.until("v", func(v *v1alpha1.Version) bool { return v.Status.StartedWith.Restart == "4" && v.IsReady() })
	require.True(p, p.soon(func() bool { return slices.Equal(p.contents("v"), []string{p.content("v").Name}) }),
		"what no pod mounts any more is gone")
	p.ask("v", v1alpha1.StateStopped)
	p.phase("v", v1alpha1.PhaseStopped)
	require.Empty(p, p.contents("v"))
}

// startsWhileItDrains: what requests in flight need stays, also if the version does not have it any more.
func startsWhileItDrains(p *place) {
	second := func(v *v1alpha1.Version) {
		other := v.Spec.Nodes[0]
		other.Name = "other"
		v.Spec.Nodes = append(v.Spec.Nodes, other)
		v.Spec.Workflows[0].Sequential = append(v.Spec.Workflows[0].Sequential, "other")
	}
	p.version("v", second)
	p.started("v")
	former := p.content("v").Name
	pod := p.entrypointPod("v")
	p.ask("v", v1alpha1.StateStopped)
	p.phase("v", v1alpha1.PhaseStopping)
	p.gone("v-entrypoint", &appsv1.Deployment{})
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"spec": {"state": "Started",
		"nodes": [{"name": "node", "image": "example.com/node"}],
		"workflows": [{"name": "greeting", "entrypoint": "Greet", "sequential": ["node"]}]}}`)
	v := p.started("v")
	require.NotEmpty(p, v.Status.StartedWith.Sequences)
	for range 2 { // a change has the version looked at once more, while the pod still answers
		require.True(p, p.read("v-greeting", &flowsv1.Sequence{}), "requests in flight are in it")
		require.True(p, p.read("v-other", &servingv1.Service{}), "requests in flight need it")
		p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"spec": {"comment": "look again"}}`)
		p.until("v", func(v *v1alpha1.Version) bool { return v.Spec.Comment == "look again" })
	}
	p.remove(pod)
	p.gone("v-greeting", &flowsv1.Sequence{})
	p.gone("v-other", &servingv1.Service{})
	p.gone(former, &corev1.ConfigMap{})
	require.True(p, p.read("v-node", &servingv1.Service{}))
}
