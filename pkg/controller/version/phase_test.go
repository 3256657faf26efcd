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
	const (
		stopped, starting, started      = v1alpha1.PhaseStopped, v1alpha1.PhaseStarting, v1alpha1.PhaseStarted
		publishing, published, stopping = v1alpha1.PhasePublishing, v1alpha1.PhasePublished, v1alpha1.PhaseStopping
	)
	for _, tt := range []struct {
		name string
		situation
		want v1alpha1.Phase
	}{
		{"a new version is stopped", situation{ready: failing}, stopped},
		{"a start begins", situation{before: stopped, run: true, ready: waiting}, starting},
		{"a start with a cause continues for a while", situation{before: starting, run: true, ready: failing}, starting},
		{"a start fails", situation{before: starting, run: true, ready: failing, failed: true}, stopped},
		{"a failed start stays failed", situation{before: stopped, run: true, ready: failing, failed: true}, stopped},
		{"a fixed start continues", situation{before: stopped, run: true, ready: waiting}, starting},
		{"ready is started", situation{before: starting, run: true, ready: ready}, started},
		{"what fails later does not stop it", situation{before: started, run: true, ready: failing, failed: true}, started},
		{"to be published and ready", situation{before: started, run: true, ready: ready, wanted: true}, publishing},
		{"to be published and not ready yet", situation{before: starting, run: true, ready: waiting, wanted: true}, starting},
		{"published", situation{before: publishing, run: true, ready: ready, wanted: true, published: true}, published},
		{"published, and something fails",
			situation{before: published, run: true, ready: failing, failed: true, wanted: true, published: true}, published},
		{"another is published instead", situation{before: published, run: true, ready: ready}, started},
		{"another is published instead of one that is not ready", situation{before: published, run: true, ready: waiting}, started},
		{"it drains", situation{before: started, remains: true, ready: failing}, stopping},
		{"it has drained", situation{before: stopping, ready: failing}, stopped},
		{"a start while it drains", situation{before: stopping, run: true, ready: waiting}, starting},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, tt.phase()) })
	}
}

func TestStartFailed(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	cause := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonCrashed,
		LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))}
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
		{"the cause has lasted", v1alpha1.VersionStatus{
			Phase: v1alpha1.PhaseStarting, Conditions: []metav1.Condition{cause}, History: started(2 * time.Hour)}, true},
		{"the cause is older than the start", v1alpha1.VersionStatus{
			Phase: v1alpha1.PhaseStarting, Conditions: []metav1.Condition{cause}, History: started(time.Second)}, false},
		{"it is stopped because it was asked to", v1alpha1.VersionStatus{
			Phase: v1alpha1.PhaseStopped, Conditions: []metav1.Condition{stopped}}, false},
		{"it has been live", v1alpha1.VersionStatus{Phase: v1alpha1.PhaseStarted, Conditions: []metav1.Condition{cause}}, false},
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
	deleted := runtime("v", "v")
	deleted.DeletionTimestamp = new(metav1.Now())
	for _, tt := range []struct {
		name                       string
		rt                         *v1alpha1.Runtime
		phase                      v1alpha1.Phase
		blocksStop, blocksDeletion bool
	}{
		{"no runtime", nil, v1alpha1.PhaseStarted, false, false},
		{"a runtime that is being deleted", deleted, v1alpha1.PhasePublished, false, false},
		{"published", runtime("v", "v"), v1alpha1.PhasePublished, true, true},
		{"still published while another is to be", runtime("w", "v"), v1alpha1.PhasePublished, true, true},
		{"to be published, and live", runtime("v", "w"), v1alpha1.PhaseStarted, true, true},
		{"to be published, and never live", runtime("v", "w"), v1alpha1.PhaseStarting, false, true},
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

func TestAStartLastsAsLongAsItsSlowestNode(t *testing.T) {
	const usual = 2 * time.Minute
	v := &v1alpha1.Version{}
	v.Spec.Nodes = []v1alpha1.Node{{Name: "etl"}}
	patient := &v1alpha1.StartedWith{Abilities: v1alpha1.Abilities{Patient: true}}
	require.Equal(t, usual, patientTimeout(usual, v, patient))
	v.Spec.Nodes = append(v.Spec.Nodes, v1alpha1.Node{Name: "model", GPU: true})
	require.Equal(t, 20*time.Minute, patientTimeout(usual, v, patient))
	require.Equal(t, time.Hour, patientTimeout(time.Hour, v, patient))
	require.Equal(t, usual, patientTimeout(usual, v, &v1alpha1.StartedWith{}), "an older kn-krt has started it")
	require.Equal(t, usual, patientTimeout(usual, v, nil))
	v.Spec.Nodes[0].Scale = &v1alpha1.Scale{StartTimeout: &metav1.Duration{Duration: 30 * time.Minute}}
	require.Equal(t, 30*time.Minute, patientTimeout(usual, v, patient))
}
