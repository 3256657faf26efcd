package version

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

func TestPhase(t *testing.T) {
	const ready, waiting, failing = metav1.ConditionTrue, metav1.ConditionUnknown, metav1.ConditionFalse
	for _, tt := range []struct {
		name string
		situation
		want v1alpha1.Phase
	}{
		{"a new version is stopped", situation{ready: failing}, v1alpha1.PhaseStopped},
		{"a start begins", situation{before: v1alpha1.PhaseStopped, run: true, ready: waiting}, v1alpha1.PhaseStarting},
		{"a start with a cause goes on for a while", situation{before: v1alpha1.PhaseStarting, run: true, ready: failing}, v1alpha1.PhaseStarting},
		{"a start fails", situation{before: v1alpha1.PhaseStarting, run: true, ready: failing, failed: true}, v1alpha1.PhaseStopped},
		{"a failed start stays failed", situation{before: v1alpha1.PhaseStopped, run: true, ready: failing, failed: true}, v1alpha1.PhaseStopped},
		{"a mended start goes on", situation{before: v1alpha1.PhaseStopped, run: true, ready: waiting}, v1alpha1.PhaseStarting},
		{"ready is started", situation{before: v1alpha1.PhaseStarting, run: true, ready: ready}, v1alpha1.PhaseStarted},
		{"what fails later does not stop it", situation{before: v1alpha1.PhaseStarted, run: true, ready: failing, failed: true}, v1alpha1.PhaseStarted},
		{"to be published and ready", situation{before: v1alpha1.PhaseStarted, run: true, ready: ready, wanted: true}, v1alpha1.PhasePublishing},
		{"to be published and not ready yet", situation{before: v1alpha1.PhaseStarting, run: true, ready: waiting, wanted: true}, v1alpha1.PhaseStarting},
		{"published", situation{before: v1alpha1.PhasePublishing, run: true, ready: ready, wanted: true, published: true}, v1alpha1.PhasePublished},
		{"published, and something fails", situation{before: v1alpha1.PhasePublished, run: true, ready: failing, failed: true, wanted: true, published: true}, v1alpha1.PhasePublished},
		{"another is published instead", situation{before: v1alpha1.PhasePublished, run: true, ready: ready}, v1alpha1.PhaseStarted},
		{"another is published instead of one that is not ready", situation{before: v1alpha1.PhasePublished, run: true, ready: waiting}, v1alpha1.PhaseStarted},
		{"it drains", situation{before: v1alpha1.PhaseStarted, remains: true, ready: failing}, v1alpha1.PhaseStopping},
		{"it has drained", situation{before: v1alpha1.PhaseStopping, ready: failing}, v1alpha1.PhaseStopped},
		{"a start while it drains", situation{before: v1alpha1.PhaseStopping, run: true, ready: waiting}, v1alpha1.PhaseStarting},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, tt.phase()) })
	}
}

func TestStartFailed(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	cause := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCrashed, LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))}
	stopped := cause
	stopped.Reason = v1alpha1.ReasonStopped
	started := func(ago time.Duration) []v1alpha1.VersionEvent {
		return []v1alpha1.VersionEvent{{Time: metav1.NewTime(now.Add(-ago)), State: v1alpha1.StateStarted}}
	}
	for _, tt := range []struct {
		name   string
		status v1alpha1.VersionStatus
		want   bool
	}{
		{"nothing is known", v1alpha1.VersionStatus{}, false},
		{"the cause has stood", v1alpha1.VersionStatus{Phase: v1alpha1.PhaseStarting, Conditions: []metav1.Condition{cause}, History: started(2 * time.Hour)}, true},
		{"the cause is older than the start", v1alpha1.VersionStatus{Phase: v1alpha1.PhaseStarting, Conditions: []metav1.Condition{cause}, History: started(time.Second)}, false},
		{"it is stopped because it was asked to", v1alpha1.VersionStatus{Phase: v1alpha1.PhaseStopped, Conditions: []metav1.Condition{stopped}}, false},
		{"it has been up", v1alpha1.VersionStatus{Phase: v1alpha1.PhaseStarted, Conditions: []metav1.Condition{cause}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, startFailed(&v1alpha1.Version{Status: tt.status}, now, 2*time.Minute))
		})
	}
}

func TestPublication(t *testing.T) {
	runtime := func(spec, status string) *v1alpha1.Runtime {
		return &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{PublishedVersion: spec}, Status: v1alpha1.RuntimeStatus{PublishedVersion: status}}
	}
	going := runtime("v", "v")
	going.DeletionTimestamp = new(metav1.Now())
	for _, tt := range []struct {
		name                       string
		rt                         *v1alpha1.Runtime
		phase                      v1alpha1.Phase
		blocksStop, blocksDeletion bool
	}{
		{"no runtime", nil, v1alpha1.PhaseStarted, false, false},
		{"a runtime that goes", going, v1alpha1.PhasePublished, false, false},
		{"published", runtime("v", "v"), v1alpha1.PhasePublished, true, true},
		{"still published while another is to be", runtime("w", "v"), v1alpha1.PhasePublished, true, true},
		{"to be published, and up", runtime("v", "w"), v1alpha1.PhaseStarted, true, true},
		{"to be published, and never up", runtime("v", "w"), v1alpha1.PhaseStarting, false, true},
		{"another is published", runtime("w", "w"), v1alpha1.PhaseStarted, false, false},
		{"nothing is published", runtime("", ""), v1alpha1.PhaseStarted, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := publicationOf(tt.rt, "v")
			require.Equal(t, tt.blocksStop, p.blocksStop(tt.phase), "serves although asked to stop")
			require.Equal(t, tt.blocksDeletion, p.blocksDeletion(), "stays although asked to go")
		})
	}
}
