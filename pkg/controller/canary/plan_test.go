package canary

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/judge"
	"krt.dev/kn-krt/pkg/observe"
)

var (
	start    = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	notReady = &observe.Cause{Reason: v1alpha1.ReasonVersionNotReady, Message: `version "v2" is not ready`}
)

// walked is a plan as the controller walks it: it keeps the state, and what is known about a step.
type walked struct {
	t    *testing.T
	in   Input
	last Output
}

func walkPlan(t *testing.T, steps ...v1alpha1.CanaryStep) *walked {
	t.Helper()
	spec := planned(steps...)
	spec.Plan.Limits = v1alpha1.CanaryLimits{ErrorRatio: &v1alpha1.IncreaseLimit{Increase: "1%"}}
	w := &walked{t: t, in: Input{Spec: spec, ID: "1"}}
	w.at(0)
	return w
}

// at goes on at a time after the start, and shows the phase, the step and the weight.
func (w *walked) at(after time.Duration) *walked {
	w.in.Now = start.Add(after)
	w.last = Next(w.in)
	w.in.Before = w.last.Status.DeepCopy()
	if w.last.Begins {
		w.in.Evidence = &Evidence{Looks: judge.Looks{}}
		return w.served(0, 0, 0)
	}
	if w.last.Status.Phase == v1alpha1.CanaryWaiting {
		w.in.Evidence = nil // as a Walker has it
	}
	again := Next(w.in)
	require.Equal(w.t, w.last.Status, again.Status, "the same input changes nothing")
	return w
}

// served sets what both sides had since the step began, until the time that comes next.
func (w *walked) served(failed, canary, published int64) *walked {
	w.in.Evidence.Window = judge.Window{
		Published: judge.Side{Version: "v1", Requests: judge.Share{Total: published}},
		Canary:    judge.Side{Version: "v2", Requests: judge.Share{Part: failed, Total: canary}},
	}
	return w
}

// read sets when that was read.
func (w *walked) read(after time.Duration) *walked {
	w.in.Evidence.At = start.Add(after)
	return w
}

func (w *walked) is(phase v1alpha1.CanaryPhase, step, weight int32, reason, message string) *walked {
	w.t.Helper()
	s := w.last.Status
	require.Equal(w.t, []any{phase, step, weight, reason}, []any{s.Phase, s.Step, s.Weight, s.Reason}, s.Message)
	require.Contains(w.t, s.Message, message)
	return w
}

const (
	walks    = v1alpha1.CanaryProgressing
	pausedBy = v1alpha1.CanaryPaused
	ready    = v1alpha1.ReasonCanaryProgressing
)

func TestAPlanWalksToItsPromotion(t *testing.T) {
	w := walkPlan(t, step(5, 10*time.Minute), step(50, time.Hour)).
		is(walks, 1, 5, ready, "step 1 of 2, 5 % of the requests for 10m0s: it has just begun")
	require.Equal(t, 10*time.Minute, w.last.Due)
	w.served(0, 37, 700).at(5*time.Minute).is(walks, 1, 5, ready, "10m0s: 37 of 100 requests to v2")
	require.Equal(t, 5*time.Minute, w.last.Due)
	w.served(0, 120, 2000).at(9*time.Minute).is(walks, 1, 5, ready, "within all limits so far")
	require.Equal(t, v1alpha1.CanarySamples{Published: 2000, Canary: 120}, w.last.Status.Samples)
	good := v1alpha1.CanaryValue{Name: "errorRatio", Published: "0 %", Canary: "0 %", Limit: "1 %", Verdict: "Good"}
	require.Equal(t, []v1alpha1.CanaryValue{good}, w.last.Status.Values)
	w.read(9*time.Minute).at(10*time.Minute).is(walks, 1, 5, ready, "its last requests are being counted")
	w.read(10*time.Minute).at(10*time.Minute+time.Second).is(walks, 2, 50, ready, "step 2 of 2, 50 % of the requests for 1h0m0s")
	require.Equal(t, v1alpha1.CanarySamples{}, w.last.Status.Samples, "each step is judged by its own requests")
	w.served(0, 500, 500).read(2*time.Hour).at(2*time.Hour).is(v1alpha1.CanaryPromoting, 2, 50, v1alpha1.ReasonPlanSucceeded,
		`all 2 steps were within the limits, the last one with 500 requests to "v2" and 500 to "v1": it is promoted`)
	w.at(3*time.Hour).is(v1alpha1.CanaryPromoting, 2, 50, v1alpha1.ReasonPlanSucceeded, "")
}

func TestAnExceededLimitRollsBackAtOnceAndForGood(t *testing.T) {
	w := walkPlan(t, step(5, time.Hour)).served(30, 120, 2000).at(time.Minute)
	w.is(v1alpha1.CanaryRolledBack, 1, 0, v1alpha1.ReasonLimitExceeded, "errorRatio: 30 of 120 requests of v2 failed")
	w.in.Spec.Resume = "please"
	w.at(time.Hour).is(v1alpha1.CanaryRolledBack, 1, 0, v1alpha1.ReasonLimitExceeded, "30 of 120")
	w.in.Cause = notReady
	w.at(2*time.Hour).is(v1alpha1.CanaryRolledBack, 1, 0, v1alpha1.ReasonLimitExceeded, "30 of 120")
	w.in.ID, w.in.Cause = "2", nil
	w.at(3*time.Hour).is(walks, 1, 5, ready, "it has just begun")
}

func TestWhatAPlanDoesInstead(t *testing.T) {
	w := walkPlan(t, step(5, time.Hour))
	w.in.Spec.Plan.OnFailure, w.in.Spec.Plan.OnSuccess = v1alpha1.CanaryPause, v1alpha1.CanaryPause
	w.served(30, 120, 2000).at(time.Minute).is(pausedBy, 1, 5, v1alpha1.ReasonLimitExceeded, "30 of 120")
	w.in.Spec.Resume = "1"
	w.at(2*time.Minute).is(walks, 1, 5, ready, "it has just begun")
	w.served(0, 120, 2000).read(2*time.Hour).at(2*time.Hour).is(pausedBy, 1, 5, v1alpha1.ReasonPlanSucceeded, "it can be promoted")
}

func TestWithoutDataAPlanPauses(t *testing.T) {
	w := walkPlan(t, step(5, 10*time.Minute)).served(0, 3, 90).read(time.Hour).at(time.Hour).is(walks, 1, 5, ready, "3 of 100 requests to v2")
	require.Equal(t, 10*time.Minute+2*time.Hour-time.Hour, w.last.Due)
	w.in.Evidence.Unread = "the metrics of 1 of 2 pods of v1 cannot be read: no response"
	w.at(2*time.Hour+10*time.Minute).is(pausedBy, 1, 5, v1alpha1.ReasonNoData,
		"for 10m0s, and 2h0m0s more: 3 of 100 requests to v2; the metrics of 1 of 2 pods of v1 cannot be read: no response")
	w.served(0, 500, 900).at(3*time.Hour).is(pausedBy, 1, 5, v1alpha1.ReasonNoData, "3 of 100")
	require.EqualValues(t, 500, w.last.Status.Samples.Canary, "its values are shown all the same")
	w.in.Spec.Resume = "now"
	w.at(4*time.Hour).is(walks, 1, 5, ready, "it has just begun")
}

// Failures without enough requests are no verdict, and what may be chance is none.
func TestWhatIsNotKnownIsNotJudged(t *testing.T) {
	w := walkPlan(t, step(5, 10*time.Minute)).served(99, 99, 2000).at(time.Hour).is(walks, 1, 5, ready, "99 of 100 requests to v2")
	w.served(3, 110, 2000).read(time.Hour).at(time.Hour).is(walks, 1, 5, ready, "errorRatio: 3 of 110 requests of v2 failed")
	w.at(3*time.Hour).is(pausedBy, 1, 5, v1alpha1.ReasonUndecided, "that is beyond the limit, and may be chance")
}

func TestAPersonPausesAndResumes(t *testing.T) {
	w := walkPlan(t, step(5, time.Hour), step(50, time.Hour))
	w.in.Spec.Paused = true
	w.at(time.Minute).is(pausedBy, 1, 5, v1alpha1.ReasonPausedByHand, "step 1 of 2 keeps its weight, because spec.canary.paused is true")
	w.served(100, 120, 2000).read(2*time.Hour).at(2*time.Hour).is(pausedBy, 1, 5, v1alpha1.ReasonPausedByHand, "")
	require.Equal(t, v1alpha1.VerdictBad, w.last.Status.Values[0].Verdict, "it is shown, and a person decides")
	w.in.Cause = notReady
	w.at(3*time.Hour).is(pausedBy, 1, 0, v1alpha1.ReasonPausedByHand, "")
	w.in.Cause = nil
	w.at(4*time.Hour).is(pausedBy, 1, 5, v1alpha1.ReasonPausedByHand, "")
	w.in.Spec.Paused = false
	w.at(5*time.Hour).is(walks, 1, 5, ready, "it has just begun")
	w.served(0, 120, 2000).read(6*time.Hour).at(6*time.Hour).is(walks, 2, 50, ready, "it has just begun")
	w.in.Spec.Paused = true
	w.at(7*time.Hour).is(pausedBy, 2, 50, v1alpha1.ReasonPausedByHand, "step 2 of 2")
}

// What has not begun has no weight to keep.
func TestAPlanThatIsPausedBeforeAStepGivesNothing(t *testing.T) {
	spec := planned(step(5, time.Hour), step(50, time.Hour))
	spec.Mirror, spec.Paused = 10, true
	spec.Plan.Limits = v1alpha1.CanaryLimits{ErrorRatio: &v1alpha1.IncreaseLimit{Increase: "1%"}}
	w := &walked{t: t, in: Input{Spec: spec, ID: "1"}}
	nothing := func(after time.Duration, step int32) {
		t.Helper()
		w.at(after).is(pausedBy, step, 0, v1alpha1.ReasonPausedByHand, "does not begin, because spec.canary.paused is true")
		require.Zero(t, w.last.Status.Mirror)
	}
	nothing(0, 1)
	nothing(time.Minute, 1)
	w.in.Spec.Paused = false
	w.at(time.Hour).is(walks, 1, 5, ready, "it has just begun")
	require.EqualValues(t, 10, w.last.Status.Mirror)
	w.served(0, 120, 2000).read(2*time.Hour).at(2*time.Hour).is(walks, 2, 50, ready, "it has just begun")
	w.in.Cause = notReady
	w.at(2*time.Hour+time.Minute).is(v1alpha1.CanaryWaiting, 2, 0, v1alpha1.ReasonVersionNotReady, "")
	w.in.Spec.Paused = true
	nothing(2*time.Hour+2*time.Minute, 2)
	w.in.Cause = nil
	nothing(2*time.Hour+3*time.Minute, 2)
	w.in.Spec.Paused = false
	w.at(3*time.Hour).is(walks, 2, 50, ready, "it has just begun")
}

func TestACanaryThatIsNotReadyIsNotJudged(t *testing.T) {
	w := walkPlan(t, step(5, time.Hour), step(50, time.Hour)).served(0, 120, 2000).read(time.Hour).at(time.Hour).is(walks, 2, 50, ready, "")
	w.in.Cause = notReady
	w.served(120, 120, 2000)
	w.at(2*time.Hour).is(v1alpha1.CanaryWaiting, 2, 0, v1alpha1.ReasonVersionNotReady, `version "v2" is not ready`)
	require.Equal(t, 2*time.Hour, w.last.Due)
	w.at(3*time.Hour).is(v1alpha1.CanaryWaiting, 2, 0, v1alpha1.ReasonVersionNotReady, "")
	w.in.Cause = nil
	w.at(3*time.Hour+time.Minute).is(walks, 2, 50, ready, "it has just begun")
	w.in.Cause = notReady
	w.at(4 * time.Hour)
	w.at(6*time.Hour).is(pausedBy, 2, 0, v1alpha1.ReasonCanaryNotReady, `the canary got no requests for 2h0m0s: version "v2" is not ready`)
	w.in.Cause = nil
	w.at(7*time.Hour).is(pausedBy, 2, 50, v1alpha1.ReasonCanaryNotReady, "")
}

// After a restart of the controller, or of what it reads with, nothing is known about the step.
func TestAStepIsNeverJudgedByHalf(t *testing.T) {
	w := walkPlan(t, step(5, time.Hour), step(50, time.Hour)).served(0, 120, 2000).read(time.Hour).at(time.Hour).is(walks, 2, 50, ready, "")
	w.served(120, 120, 2000)
	w.in.Evidence = nil
	w.at(90*time.Minute).is(walks, 2, 50, ready, "it has just begun")
	require.Equal(t, metav1.NewTime(start.Add(90*time.Minute)), *w.last.Status.Since)
	w.in.Evidence = nil
	w.in.Before.Phase, w.in.Before.Reason = pausedBy, v1alpha1.ReasonNoData
	w.at(100*time.Minute).is(pausedBy, 2, 50, v1alpha1.ReasonNoData, "")
}

func TestAnEditedPlanBeginsAgain(t *testing.T) {
	w := walkPlan(t, step(5, time.Hour), step(50, time.Hour)).served(0, 120, 2000).read(time.Hour).at(time.Hour).is(walks, 2, 50, ready, "")
	w.in.ID, w.in.Spec.Plan.Steps = "2", w.in.Spec.Plan.Steps[:1]
	w.at(2*time.Hour).is(walks, 1, 5, ready, "step 1 of 1")
	w.in.Before.Step = 9 // as only somebody who writes the status can
	w.at(3*time.Hour).is(walks, 1, 5, ready, "step 1 of 1")
}

// What a person takes back, a promotion or an abort, is no verdict of the plan: it begins anew.
func TestAPlanBeginsAnewAfterItsCanaryHasLeft(t *testing.T) {
	for name, leave := range map[string]func(*v1alpha1.Runtime){
		"promoted": (*v1alpha1.Runtime).MarkCanaryPromoting, "aborted": (*v1alpha1.Runtime).MarkCanaryLeaving,
	} {
		t.Run(name, func(t *testing.T) {
			rt := &v1alpha1.Runtime{Spec: v1alpha1.RuntimeSpec{PublishedVersion: "v1", Canary: planned(
				v1alpha1.CanaryStep{Weight: 5, For: metav1.Duration{Duration: time.Minute}},
				v1alpha1.CanaryStep{Weight: 50, For: metav1.Duration{Duration: time.Minute}})}}
			rt.Status.PublishedVersion = "v1"
			rt.MarkCanaryWalking(v1alpha1.CanaryStatus{Phase: v1alpha1.CanaryProgressing, Step: 2, Weight: 50}, true)
			leave(rt)
			out := Next(Input{Spec: rt.Spec.Canary, ID: rt.Spec.Canary.ID("v1"), Before: rt.Status.Canary, Now: start})
			require.Equal(t, v1alpha1.CanaryProgressing, out.Status.Phase)
			require.EqualValues(t, 1, out.Status.Step)
			require.EqualValues(t, 5, out.Status.Weight)
		})
	}
}
