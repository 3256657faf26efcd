package scripts

import (
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func durableVersion(namespace string) *v1alpha1.Version {
	return &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "kept", Namespace: namespace}, Spec: v1alpha1.VersionSpec{
		State: v1alpha1.StateStarted,
		Entrypoint: v1alpha1.Entrypoint{
			Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}, Delivery: v1alpha1.DeliveryDurable,
		},
		Nodes:     []v1alpha1.Node{{Name: "etl", Image: "localhost:5000/etl"}},
		Workflows: []v1alpha1.Workflow{{Name: "price", Entrypoint: "Price", Sequential: []string{"etl"}}},
	}}
}

// The queue is missed by those only who have versions that need it.
func TestDoctorKnowsTheQueue(t *testing.T) {
	n := newClinic(t)
	n.finds(`++ queue: there is none: versions with delivery Durable would need it, and there are none in namespace "default"`, "")
	v := durableVersion("default")
	n.create(v)
	n.finds(` I queue: there is no StatefulSet krt-queue in namespace krt-system: version "kept", whose delivery is Durable, accepts nothing`,
		"KO_CONFIG_PATH=ko.yaml ko apply -f config/queue/")
	n.finds("++ queue: there is none", "", "-n", "monitoring")

	label := map[string]string{"app.kubernetes.io/name": "krt-queue"}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "krt-queue", Namespace: "krt-system"}}
	set.Spec.Selector = &metav1.LabelSelector{MatchLabels: label}
	set.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: label}}
	set.Spec.Template.Spec.Containers = []corev1.Container{{Name: "queue", Image: "localhost:5000/queue"}}
	n.create(set)
	n.finds(" I queue: none of its pods is ready: versions with delivery Durable accept nothing",
		"kubectl -n krt-system describe pods -l app.kubernetes.io/name=krt-queue")
	set.Status.Replicas, set.Status.ReadyReplicas = 1, 1
	require.NoError(t, n.client.Status().Update(t.Context(), set))
	n.finds("++ queue: 1 of 1 pod ready", "")

	v.MarkEntrypointNotReady(v1alpha1.ReasonQueueUnavailable, "the queue refuses it")
	require.NoError(t, n.client.Status().Update(t.Context(), v))
	n.finds(` I queue: version "kept": the queue refuses it`, "")

	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "config-krt", Namespace: "krt-system"}}
	settings.Data = map[string]string{"queue-url": "nats://nats.example:4222"}
	n.create(settings)
	n.finds(` I queue: version "kept": the queue refuses it`, "kubectl -n krt-system edit configmap config-krt")
	require.NoError(t, n.client.Delete(t.Context(), v))
	n.finds("++ queue: nats://nats.example:4222, as the settings have it", "")
}
