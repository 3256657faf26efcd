package controller

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller"
	"krt.dev/kn-krt/test/apiserver"
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

// A kn-krt that renders another configuration for what an older one has started leaves that as it is, and leaves no
// configuration that no pod mounts. One that pods mount, and that somebody deletes, is replaced by its own.
func TestConfigurationOfAnotherProgram(t *testing.T) {
	apiserver.Need(t)
	p := newPlace(t, shared)
	first := shared.start(t)
	p.version("v")
	p.started("v")
	first.rests(t, p.namespace)
	first.stop()
	ours := p.content("v")
	theirs := ours.DeepCopy()
	theirs.ObjectMeta = metav1.ObjectMeta{Name: "v-entrypoint-former", Namespace: p.namespace, Labels: ours.Labels,
		OwnerReferences: ours.OwnerReferences, Annotations: map[string]string{apply.HashAnnotation: "of old",
			apply.MadeAnnotation: ours.Annotations[apply.MadeAnnotation]}}
	theirs.Data["entrypoint.json"] = `{"of": "old"}`
	require.NoError(t, p.Create(t.Context(), theirs))
	d := &appsv1.Deployment{}
	require.True(t, p.read("v-entrypoint", d))
	hash := d.Spec.Template.Annotations["krt.dev/content-hash"]
	d.Annotations[apply.HashAnnotation], d.Spec.Template.Annotations["krt.dev/content-hash"] = "of old", "former"
	d.Spec.Template.Spec.Volumes[0].ConfigMap.Name = theirs.Name
	require.NoError(t, p.Update(t.Context(), d))
	pod := p.entrypointPod("v")
	p.patch(pod, fmt.Sprintf(`{"metadata": {"annotations": {"krt.dev/content-hash": %q}}}`, hash))
	_, before := p.made("v")

	shared.start(t)
	p.current("v", v1alpha1.ReasonBehind, "changed since it was started: kn-krt; restart it")
	require.ElementsMatch(t, []string{theirs.Name, ours.Name}, p.contents("v"), "a pod may still mount it")
	p.remove(pod)
	p.gone(ours.Name, &corev1.ConfigMap{})
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"spec": {"comment": "look again"}}`)
	p.until("v", func(v *v1alpha1.Version) bool { return v.Spec.Comment == "look again" })
	require.Equal(t, []string{theirs.Name}, p.contents("v"))
	_, now := p.made("v")
	require.Equal(t, before, now, "an upgrade rolls nothing")

	p.remove(theirs)
	require.True(t, p.soon(func() bool { return p.content("v").Name == ours.Name }), "no pod could start")
	require.Equal(t, ours.Data, p.content("v").Data)
	require.True(t, p.read("v-entrypoint", d))
	require.Equal(t, hash, d.Spec.Template.Annotations["krt.dev/content-hash"])
	p.current("v", v1alpha1.ReasonCurrent, "")
	p.started("v")
	require.Equal(t, []string{ours.Name}, p.contents("v"))
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
