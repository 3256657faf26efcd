package controller

import (
	"context"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver/pretend"
)

// patient has the node wait for a machine. It has no GPU, because that would need Knative's flags, which are
// one for all tests.
func patient(v *v1alpha1.Version) { startsWithin(10 * time.Minute)(v) }

// startsWithin has the node start within a time. The start of a version fails no sooner.
func startsWithin(d time.Duration) func(*v1alpha1.Version) {
	return func(v *v1alpha1.Version) {
		v.Spec.Nodes[0].Scale = &v1alpha1.Scale{StartTimeout: &metav1.Duration{Duration: d}}
	}
}

// pod makes a pod with labels and conditions.
func (p *place) pod(name string, labels map[string]string, conditions ...corev1.PodCondition) *corev1.Pod {
	p.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.namespace, Labels: labels}}
	pod.Labels["app.kubernetes.io/managed-by"], pod.Labels["krt.dev/version"] = "kn-krt", "v"
	pod.Spec.Containers = []corev1.Container{{Name: "c", Image: "example.com/image"}}
	require.NoError(p, p.Create(p.Context(), pod))
	p.conditions(pod, conditions...)
	return pod
}

func (p *place) conditions(pod *corev1.Pod, conditions ...corev1.PodCondition) {
	p.Helper()
	pod.Status.Phase, pod.Status.Conditions = corev1.PodPending, conditions
	require.NoError(p, p.Status().Update(p.Context(), pod))
}

// waitingPod is a pod of the node's first Revision for which there is no machine.
func (p *place) waitingPod() *corev1.Pod {
	p.Helper()
	return p.pod("v-node-pod", map[string]string{"krt.dev/node": "node", "serving.knative.dev/revision": "v-node-00001"},
		corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable",
			Message: "0/1 nodes are available: 1 Insufficient memory.", LastTransitionTime: metav1.Now()})
}

// told waits until the pod of the entrypoint has been told which nodes are cold.
func (p *place) told(want func([]cold.Node) bool) {
	p.Helper()
	pod := &corev1.Pod{}
	require.True(p, p.soon(func() bool {
		require.True(p, p.read("v-entrypoint-pod", pod))
		nodes, err := cold.Parse([]byte(pod.Annotations[render.AnnotationCold]))
		require.NoError(p, err)
		return want(nodes)
	}), "%v", pod.Annotations)
}

func waitsForAMachine(p *place) {
	p.version("v", patient, image("example.com/broken"))
	p.there("v-node", &servingv1.Service{})
	labels := render.EntrypointPods("v")
	p.pod("v-entrypoint-pod", labels)
	waiting := p.waitingPod()
	v := p.until("v", func(v *v1alpha1.Version) bool {
		c := v.Status.Condition(v1alpha1.ConditionNodesReady)
		return c.Status == metav1.ConditionUnknown && c.Reason == v1alpha1.ReasonWaitingForNode
	})
	require.Equal(p, v1alpha1.PhaseStarting, v.Status.Phase)
	message := v.Status.Condition(v1alpha1.ConditionReady).Message
	require.Contains(p, message, `node "node": waiting for a machine that can run it, since `)
	require.Contains(p, message, "no autoscaler has reported that it adds one")
	require.Contains(p, message, render.EnableAlwaysSchedulable)
	p.told(func(nodes []cold.Node) bool { return len(nodes) == 1 && nodes[0].Node == "node" && !nodes[0].Scheduled })

	reported := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "scale-up", Namespace: p.namespace}, Reason: "TriggeredScaleUp",
		Message: "pod triggered scale-up: [{pool 0->1 (max: 3)}]", Type: corev1.EventTypeNormal, LastTimestamp: metav1.Now()}
	reported.InvolvedObject = corev1.ObjectReference{Kind: "Pod", Namespace: p.namespace, Name: waiting.Name, UID: waiting.UID}
	require.NoError(p, p.Create(p.Context(), reported))
	p.patch(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: waiting.Name}}, `{"metadata": {"annotations": {"seen": "again"}}}`)
	p.until("v", func(v *v1alpha1.Version) bool {
		return strings.Contains(v.Status.Nodes[0].Message,
			"the cluster's autoscaler adds one: TriggeredScaleUp: pod triggered scale-up: [{pool 0->1")
	})

	// The machine comes, and the node starts on it.
	require.True(p, p.read(waiting.Name, waiting))
	p.conditions(waiting, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	p.told(func(nodes []cold.Node) bool { return len(nodes) == 1 && nodes[0].Scheduled })
	p.conditions(waiting, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
		corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
	p.told(func(nodes []cold.Node) bool { return len(nodes) == 0 })
	p.patch(&servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v-node"}}, `{"metadata": {"annotations": {"`+pretend.Mended+`": "true"}}}`)
	p.started("v")
}

// Knative gives up a Revision, and does not come back to it: a new one is made, once there is a machine.
func givenUpWithoutAMachine(p *place) {
	p.version("v", patient, image("example.com/broken"))
	p.there("v-node", &servingv1.Service{})
	waiting := p.waitingPod()
	waits := func(v *v1alpha1.Version) bool { return v.Status.Nodes[0].Reason == v1alpha1.ReasonWaitingForNode }
	p.until("v", waits)

	revision := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Name: "v-node-00001", Namespace: p.namespace, Labels: map[string]string{
		"app.kubernetes.io/managed-by": "kn-krt", "krt.dev/version": "v", "krt.dev/node": "node"}}}
	revision.Spec.Containers = []corev1.Container{{Image: "example.com/broken"}}
	require.NoError(p, p.Create(p.Context(), revision))
	revision.Status.InitializeConditions()
	revision.Status.MarkResourcesAvailableFalse("ProgressDeadlineExceeded", "Initial scale was never achieved")
	require.NoError(p, p.Status().Update(p.Context(), revision))
	require.NoError(p, p.Delete(p.Context(), waiting, client.GracePeriodSeconds(0)))
	v := p.until("v", func(v *v1alpha1.Version) bool { return v.Status.Nodes[0].Reason == v1alpha1.ReasonUnschedulable })
	require.Contains(p, v.Status.Nodes[0].Message,
		"Knative has given up its Revision, because there was not a machine that can run it within 10m0s")
	s := &servingv1.Service{}
	require.True(p, p.read("v-node", s))
	require.Empty(p, s.Spec.Template.Annotations[render.AnnotationRetry])

	machine := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "machine-of-" + p.namespace}}
	require.NoError(p, p.Create(p.Context(), machine))
	p.Cleanup(func() { require.NoError(p, p.Delete(context.Background(), machine)) })
	machine.Spec.Taints = nil
	require.NoError(p, p.Update(p.Context(), machine))
	machine.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	require.NoError(p, p.Status().Update(p.Context(), machine))
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"metadata": {"annotations": {"seen": "again"}}}`)
	retried := ""
	require.True(p, p.soon(func() bool {
		require.True(p, p.read("v-node", s))
		retried = s.Spec.Template.Annotations[render.AnnotationRetry]
		return retried != ""
	}))
	p.until("v", func(v *v1alpha1.Version) bool { return v.Status.Nodes[0].Reason == v1alpha1.ReasonRevisionFailed })
	require.True(p, p.read("v-node", s))
	require.Equal(p, retried, s.Spec.Template.Annotations[render.AnnotationRetry], "once for a cause")
	require.EqualValues(p, 2, s.Generation)
}
