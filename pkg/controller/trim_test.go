package controller

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/render"
)

func TestWhatIsCachedOfAPod(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "p", Labels: map[string]string{render.LabelVersion: "v"}}
	one := resource.MustParse("1")
	devices := corev1.ResourceList{"nvidia.com/gpu": one}
	statuses := []corev1.ContainerStatus{{Name: "user-container", RestartCount: 3}}
	pod := &corev1.Pod{
		ObjectMeta: *meta.DeepCopy(),
		Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "c", Image: "i", Env: []corev1.EnvVar{{Name: "A"}},
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": one, "nvidia.com/gpu": one}}}, {Name: "other"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", HostIP: "10.0.0.2", ContainerStatuses: statuses,
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
	pod.Annotations = map[string]string{render.AnnotationTraffic: "1", render.AnnotationContentHash: "2", "another": "3",
		render.AnnotationCold: "4"}

	kept, err := trim(pod)
	require.NoError(t, err)
	meta.Annotations = map[string]string{render.AnnotationTraffic: "1", render.AnnotationContentHash: "2", render.AnnotationCold: "4"}
	spec := corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Limits: devices}}}}
	require.Equal(t, &corev1.Pod{ObjectMeta: meta, Spec: spec, Status: corev1.PodStatus{Phase: corev1.PodRunning,
		PodIP: "10.0.0.1", ContainerStatuses: statuses, Conditions: pod.Status.Conditions}}, kept)
}

func TestWhatIsCachedOfAMachine(t *testing.T) {
	one := resource.MustParse("1")
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"gpu": "yes"}}}
	n.Annotations = map[string]string{"a": "b"}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	n.Status.Allocatable, n.Status.Images = corev1.ResourceList{"cpu": one, "amd.com/gpu": one}, []corev1.ContainerImage{{SizeBytes: 1}}
	kept, err := trim(n.DeepCopy())
	require.NoError(t, err)
	require.Equal(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: n.Labels},
		Status: corev1.NodeStatus{Conditions: n.Status.Conditions, Allocatable: corev1.ResourceList{"amd.com/gpu": one}}}, kept)
}

func TestWhatIsCachedOfARevision(t *testing.T) {
	r := &servingv1.Revision{ObjectMeta: metav1.ObjectMeta{Name: "r", Labels: map[string]string{render.LabelVersion: "v"}}}
	r.Spec.Containers = []corev1.Container{{Image: "i"}}
	r.Status.ContainerStatuses = []servingv1.ContainerStatus{{ImageDigest: "i@sha256:1"}}
	kept, err := trim(r)
	require.NoError(t, err)
	require.Empty(t, kept.(*servingv1.Revision).Spec.Containers)
	require.Equal(t, "i@sha256:1", kept.(*servingv1.Revision).Status.ContainerStatuses[0].ImageDigest)
	require.Equal(t, "v", kept.(*servingv1.Revision).Labels[render.LabelVersion])
}

// What is applied is compared with all that it has.
func TestWhatIsAppliedIsCachedWhole(t *testing.T) {
	s := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{"a": "b"}}}
	s.Spec.Template.Spec.Containers = []corev1.Container{{Image: "i"}}
	want := s.DeepCopy()
	kept, err := trim(s)
	require.NoError(t, err)
	require.Equal(t, want, kept)
}

func TestADeletionThatWasMissed(t *testing.T) {
	gone := cache.DeletedFinalStateUnknown{Key: "n/p"}
	kept, err := trim(gone)
	require.NoError(t, err)
	require.Equal(t, gone, kept)
}

func TestTheMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	for _, none := range []string{"", "0", "-1", "512Mi"} {
		LimitMemory(none)
		require.Equal(t, before, debug.SetMemoryLimit(-1), none)
	}
	LimitMemory("1000000000")
	require.EqualValues(t, 900_000_000, debug.SetMemoryLimit(-1))
}
