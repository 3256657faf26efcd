package version

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/render"
)

// An entrypoint's pods of before keep what they need, as long as they may have requests.
func TestPodsOfBeforeHaveLeft(t *testing.T) {
	now := time.Now()
	d := &appsv1.Deployment{}
	d.Spec.Template.Annotations = map[string]string{render.AnnotationContentHash: "now"}
	pod := func(hash string, phase corev1.PodPhase, deleted time.Duration) corev1.Pod {
		p := corev1.Pod{Status: corev1.PodStatus{Phase: phase}}
		p.Labels = map[string]string{render.LabelType: render.TypeEntrypoint}
		p.Annotations = map[string]string{render.AnnotationContentHash: hash}
		if deleted != 0 {
			p.DeletionTimestamp = &metav1.Time{Time: now.Add(deleted)}
		}
		return p
	}
	for name, tt := range map[string]struct {
		pod           corev1.Pod
		left, stopped bool // stopped: if there is no Deployment
	}{
		"it runs":                   {pod("before", corev1.PodRunning, 0), false, false},
		"it has not started":        {pod("before", corev1.PodPending, 0), false, false},
		"it drains":                 {pod("before", corev1.PodRunning, 30*time.Second), false, false},
		"its machine is lost":       {pod("before", corev1.PodRunning, -2*time.Minute), true, true},
		"it was evicted":            {pod("before", corev1.PodFailed, 0), true, true},
		"its machine was shut down": {pod("before", corev1.PodSucceeded, 0), true, true},
		"it is of the Deployment":   {pod("now", corev1.PodRunning, 0), true, false},
		"it is a node's":            {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reconciler{client: cached{pods: []corev1.Pod{tt.pod}}}
			want := desired{version: testVersion()}
			require.Equal(t, tt.left, r.left(t.Context(), want, d, now))
			require.Equal(t, tt.stopped, r.left(t.Context(), want, nil, now))
		})
	}
}
