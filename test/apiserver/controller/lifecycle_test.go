package controller

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/test/apiserver"
)

func TestVersion(t *testing.T) {
	apiserver.Need(t)
	shared.start(t)
	for name, test := range map[string]func(*place){
		"starts and stops":                               startsAndStops,
		"drains its entrypoint before all else":          drains,
		"keeps what a drain needs when it starts again":  startsWhileItDrains,
		"keeps its reply key":                            keepsItsReplyKey,
		"is published, taken over and unpublished":       publishedAndTakenOver,
		"keeps serving while published":                  servesWhilePublished,
		"is not deleted while published":                 staysWhilePublished,
		"goes with its runtime":                          goesWithItsRuntime,
		"goes with its namespace":                        goesWithItsNamespace,
		"is published once it is ready":                  publishedOnceReady,
		"tells what config is missing, and goes on":      configMissing,
		"rolls its nodes when config changes":            configChanges,
		"keeps what runs when config vanishes":           configVanishes,
		"tells what is wrong with its content":           invalid,
		"tells a crash in its node's own words":          crash,
		"tells Knative's flags, and goes on":             flags,
		"waits for a machine":                            waitsForAMachine,
		"tries again once there is a machine":            givenUpWithoutAMachine,
		"leaves what is another's alone":                 namesMeet,
		"leaves what is a stranger's alone":              stranger,
		"tells a refusal":                                refused,
		"has what was changed or deleted made as it was": restored,
		"takes over what an earlier controller has made": adopted,
		"makes a way straight to the pod of a node":      shortcut,
		"has the entrypoint find the pods of a node":     podsFound,
		"waits until its channels are served":            channelsServed,
		"creates channels that have annotations":         channelsAnnotated,
		"reads what a Channel has become":                channelsBecome,
		"starts a workflow that streams":                 streams,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newPlace(t, shared))
		})
	}
}

// streams: a version whose workflow streams starts, is not behind, and restarts as it is.
func streams(p *place) {
	p.version("v", func(v *v1alpha1.Version) { v.Spec.Workflows[0].Entrypoint = "Stream" })
	p.started("v")
	p.current("v", v1alpha1.ReasonCurrent, "")
	node := &servingv1.Service{}
	require.True(p, p.read("v-node", node))
	require.Equal(p, node.Spec.Template.Spec.TimeoutSeconds, node.Spec.Template.Spec.IdleTimeoutSeconds)
	entrypoint := &appsv1.Deployment{}
	require.True(p, p.read("v-entrypoint", entrypoint))
	require.Equal(p, int64(310), *entrypoint.Spec.Template.Spec.TerminationGracePeriodSeconds)
	sequences, _ := p.made("v")
	p.restart("v", "again")
	p.until("v", func(v *v1alpha1.Version) bool { return v.IsReady() && v.Status.StartedWith.Restart == "again" })
	again, _ := p.made("v")
	require.Equal(p, sequences, again)

	p.version("unary")
	p.started("unary")
	require.True(p, p.read("unary-node", node))
	require.Nil(p, node.Spec.Template.Spec.IdleTimeoutSeconds)
}

func startsAndStops(p *place) {
	p.version("v", stopped)
	v := p.phase("v", v1alpha1.PhaseStopped)
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	require.Equal(p, []string{"False", v1alpha1.ReasonStopped, "the version is stopped; start it: kn krt start v -n " + p.namespace},
		[]string{string(ready.Status), ready.Reason, ready.Message})

	p.ask("v", v1alpha1.StateStarted)
	v = p.started("v")
	require.Equal(p, "http://v."+p.namespace+".svc.cluster.local", v.Status.Address.URL)
	require.Equal(p, []v1alpha1.NodeStatus{{Name: "node", Ready: true, Revision: "v-node-00001"}}, v.Status.Nodes)
	require.Equal(p, []v1alpha1.WorkflowStatus{{Name: "greeting", Ready: true,
		Address: "http://v-greeting-kn-sequence-0-kn-channel." + p.namespace + ".svc.cluster.local",
		Channel: "InMemoryChannel"}}, v.Status.Workflows)

	p.ask("v", v1alpha1.StateStopped)
	v = p.phase("v", v1alpha1.PhaseStopped)
	require.Nil(p, v.Status.Address)
	require.Equal(p, []v1alpha1.NodeStatus{{Name: "node", Reason: v1alpha1.ReasonStopped, Message: ready.Message}}, v.Status.Nodes)
	require.False(p, p.read("v-node", &servingv1.Service{}))
	require.False(p, p.read("v-greeting", &flowsv1.Sequence{}))
	require.False(p, p.read("v-entrypoint", &appsv1.Deployment{}))
	require.False(p, p.read("v", &corev1.Service{}))
	var states []v1alpha1.State
	for _, event := range v.Status.History {
		states = append(states, event.State)
	}
	require.Equal(p, []v1alpha1.State{v1alpha1.StateStopped, v1alpha1.StateStarted, v1alpha1.StateStopped}, states)
	require.Equal(p, "asked for Stopped", v.Status.History[2].Comment)

	p.ask("v", v1alpha1.StateStarted)
	p.started("v")
	p.remove(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}})
	p.gone("v", &v1alpha1.Version{})
	require.False(p, p.read("v-entrypoint", &appsv1.Deployment{}), "the entrypoint goes before the version does")
}

// entrypointPod is one of the pods that a Deployment would have.
func (p *place) entrypointPod(version string) *corev1.Pod {
	p.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: version + "-entrypoint-0", Namespace: p.namespace, Labels: map[string]string{
		"app.kubernetes.io/managed-by": "kn-krt", "krt.dev/version": version, "type": "entrypoint", "version-name": version + "-entrypoint",
	}}}
	pod.Spec.Containers = []corev1.Container{{Name: "entrypoint", Image: "example.com/entrypoint"}}
	require.NoError(p, p.Create(p.Context(), pod))
	return pod
}

func drains(p *place) {
	p.version("v")
	p.started("v")
	pod := p.entrypointPod("v")
	p.ask("v", v1alpha1.StateStopped)
	v := p.phase("v", v1alpha1.PhaseStopping)
	require.Equal(p, v1alpha1.ReasonStopping, v.Status.Condition(v1alpha1.ConditionReady).Reason)
	p.gone("v-entrypoint", &appsv1.Deployment{})
	// A change has the version looked at once more, while the pod still answers.
	p.patch(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, `{"spec": {"comment": "look again"}}`)
	p.phase("v", v1alpha1.PhaseStopping)
	require.True(p, p.read("v-node", &servingv1.Service{}), "requests in flight need the nodes")
	require.True(p, p.read("v-reply", &corev1.Service{}), "and their answers the reply port")

	p.remove(pod)
	p.phase("v", v1alpha1.PhaseStopped)
	require.False(p, p.read("v-node", &servingv1.Service{}))
}

func keepsItsReplyKey(p *place) {
	p.version("v")
	p.started("v")
	before := &corev1.Secret{}
	require.True(p, p.read("v-reply", before))
	require.Len(p, before.Data["key"], 32)
	require.True(p, *before.Immutable)
	p.ask("v", v1alpha1.StateStopped)
	p.phase("v", v1alpha1.PhaseStopped)
	p.ask("v", v1alpha1.StateStarted)
	p.started("v")
	after := &corev1.Secret{}
	require.True(p, p.read("v-reply", after))
	require.Equal(p, before.Data, after.Data)
	require.Equal(p, before.ResourceVersion, after.ResourceVersion, "it is never written again")

	p.remove(after) // by hand: pods with another key are due
	p.until("v", func(*v1alpha1.Version) bool {
		key, deployment := &corev1.Secret{}, &appsv1.Deployment{}
		return p.read("v-reply", key) && key.UID != before.UID && p.read("v-entrypoint", deployment) &&
			deployment.Spec.Template.Annotations[render.AnnotationReplyKey] == key.Labels[render.AnnotationReplyKey] &&
			!bytes.Equal(key.Data["key"], before.Data["key"])
	})
}

func publishedAndTakenOver(p *place) {
	p.version("a")
	p.version("b")
	p.started("a")
	p.started("b")
	p.publish("a")
	v := p.phase("a", v1alpha1.PhasePublished)
	require.Equal(p, metav1.ConditionTrue, v.Status.Condition(v1alpha1.ConditionPublished).Status)
	p.publish("b")
	p.phase("b", v1alpha1.PhasePublished)
	p.phase("a", v1alpha1.PhaseStarted)
	p.publish("a") // back
	p.phase("a", v1alpha1.PhasePublished)
	p.phase("b", v1alpha1.PhaseStarted)
	p.publish("")
	v = p.phase("a", v1alpha1.PhaseStarted)
	require.Equal(p, metav1.ConditionFalse, v.Status.Condition(v1alpha1.ConditionPublished).Status)
}

func servesWhilePublished(p *place) {
	p.version("v")
	p.started("v")
	p.publish("v")
	p.phase("v", v1alpha1.PhasePublished)
	p.ask("v", v1alpha1.StateStopped)
	v := p.until("v", func(v *v1alpha1.Version) bool { return v.Status.Condition(v1alpha1.ConditionStopRefused) != nil })
	require.Equal(p, v1alpha1.PhasePublished, v.Status.Phase)
	require.True(p, v.IsReady())
	require.Contains(p, v.Status.Condition(v1alpha1.ConditionStopRefused).Message, "kn krt unpublish v -n "+p.namespace)
	require.True(p, p.read("v-entrypoint", &appsv1.Deployment{}))
	p.publish("")
	v = p.phase("v", v1alpha1.PhaseStopped)
	require.Nil(p, v.Status.Condition(v1alpha1.ConditionStopRefused))
}

func staysWhilePublished(p *place) {
	p.version("v")
	p.version("w")
	p.started("w")
	p.publish("v")
	p.phase("v", v1alpha1.PhasePublished)
	p.remove(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}})
	v := p.until("v", func(v *v1alpha1.Version) bool { return v.Status.Condition(v1alpha1.ConditionDeleteRefused) != nil })
	require.Equal(p, v1alpha1.PhasePublished, v.Status.Phase)
	require.True(p, p.read("v-entrypoint", &appsv1.Deployment{}))
	p.publish("w")
	p.gone("v", &v1alpha1.Version{})
	p.phase("w", v1alpha1.PhasePublished)
}

func goesWithItsRuntime(p *place) {
	p.version("v")
	p.started("v")
	p.publish("v")
	p.phase("v", v1alpha1.PhasePublished)
	p.remove(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}})
	p.until("v", func(v *v1alpha1.Version) bool { return v.Status.Condition(v1alpha1.ConditionDeleteRefused) != nil })
	p.remove(&v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName}})
	p.gone("v", &v1alpha1.Version{})
}

func publishedOnceReady(p *place) {
	p.version("v", configured)
	p.publish("v")
	p.failed("v", v1alpha1.ReasonConfigMissing)
	v := p.until("v", func(v *v1alpha1.Version) bool {
		return v.Status.Condition(v1alpha1.ConditionPublished).Reason == v1alpha1.ReasonPublishing
	})
	require.Equal(p, "it will be published once it is ready", v.Status.Condition(v1alpha1.ConditionPublished).Message)
	p.secret("v-config", map[string]string{"CURRENCY": "EUR", "CERT": "x"})
	p.phase("v", v1alpha1.PhasePublished)
}

// goesWithItsNamespace plays what Kubernetes does to a namespace: nothing can be
// made in it any more, and all that is in it is deleted, in any order.
func goesWithItsNamespace(p *place) {
	p.version("v")
	p.started("v")
	p.publish("v")
	p.phase("v", v1alpha1.PhasePublished)
	require.NoError(p, p.Delete(p.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}))
	p.remove(&servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "v-node"}})
	p.remove(&v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "v"}})
	p.until("v", func(v *v1alpha1.Version) bool { return v.Status.Condition(v1alpha1.ConditionDeleteRefused) != nil })
	p.remove(&v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName}})
	p.gone("v", &v1alpha1.Version{})
}
