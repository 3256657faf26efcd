// Package canary walks the plans of canaries: it reads what both versions have served, judges that,
// and decides with which weight a plan goes on. [Next] is pure and has the rules; a [Walker] reads
// what they need, in memory: after a restart of the controller, a step begins anew.
package canary

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/judge"
	"krt.dev/kn-krt/pkg/observe"
)

// Evidence is what is known about the present step.
type Evidence struct {
	// Window has what both sides had since the step began.
	Window judge.Window
	// Looks are those at this window.
	Looks judge.Looks
	// Fallbacks counts the requests that the published version served because the canary could not.
	Fallbacks int64
	// At is when all that is measured was last read completely; zero if it never was.
	At time.Time
	// Unread is why the last reading was not complete; empty if it was.
	Unread string
}

// samples are the requests that it counts.
func (e *Evidence) samples() v1alpha1.CanarySamples {
	w := e.Window
	return v1alpha1.CanarySamples{
		Published: w.Published.Requests.Total, Canary: w.Canary.Requests.Total, Fallbacks: e.Fallbacks,
		Mirrored: w.Equal.Total, Equal: w.Equal.Part,
	}
}

// Input is all that decides how a plan goes on.
type Input struct {
	// Spec has a plan. ID identifies it.
	Spec *v1alpha1.Canary
	ID   string
	// Before is the state before; nil if there is none.
	Before *v1alpha1.CanaryStatus
	Now    time.Time
	// Cause is why the canary gets no requests now, whatever the plan; nil if it may get them.
	Cause *observe.Cause
	// Evidence is nil if nothing is known about the present step since it began: then it begins anew.
	Evidence *Evidence
}

// Output is how a plan goes on.
type Output struct {
	Status v1alpha1.CanaryStatus
	// Begins is whether a step begins: what was known before is not evidence about it.
	Begins bool
	// Due is after what time to ask again, if there is no news before; 0 for never.
	Due time.Duration
}

// Next returns how a plan goes on. It is pure; what it has returned, with the same evidence, changes nothing more.
func Next(in Input) Output {
	in.Spec = in.Spec.DeepCopy() // it belongs to a cache
	in.Spec.Plan.SetDefaults()
	b := in.before()
	n := next{Input: in, before: b, step: in.Spec.Plan.Steps[b.Step-1]}
	n.out.Status = v1alpha1.CanaryStatus{Version: in.Spec.Version, Of: in.ID, Step: b.Step, Since: b.Since, Resume: b.Resume}
	switch {
	case b.Phase == v1alpha1.CanaryRolledBack:
		n.out.Status = *b
	case n.held():
		n.hold(b.Reason, b.Message)
	case in.Spec.Paused:
		n.pause()
	case in.Cause != nil:
		n.wait()
	case b.Phase == v1alpha1.CanaryPromoting:
		n.out.Status = *b
	case b.Phase != v1alpha1.CanaryProgressing || in.Evidence == nil:
		n.begin(b.Step)
	default:
		n.walk()
	}
	return n.out
}

// before is the state before, or that of a plan which has not begun.
func (in Input) before() *v1alpha1.CanaryStatus {
	b := in.Before
	if b == nil || b.Of != in.ID || b.Step < 1 || int(b.Step) > len(in.Spec.Plan.Steps) {
		return &v1alpha1.CanaryStatus{Phase: v1alpha1.CanaryWaiting, Step: 1}
	}
	return b
}

// held reports whether the plan has paused by itself, and nobody has resumed it.
func (n *next) held() bool {
	b := n.before
	return b.Phase == v1alpha1.CanaryPaused && b.Reason != v1alpha1.ReasonPausedByHand && b.Resume == n.Spec.Resume
}

// next is one call of [Next].
type next struct {
	Input
	before *v1alpha1.CanaryStatus
	step   v1alpha1.CanaryStep
	out    Output
}

// enter enters a phase; what is known about its values stays.
func (n *next) enter(phase v1alpha1.CanaryPhase, reason, message string) {
	s := &n.out.Status
	s.Phase, s.Reason, s.Message, s.Resume = phase, reason, message, n.Spec.Resume
	s.Weight, s.Mirror = n.step.Weight, n.Spec.Mirror
	if n.Cause != nil || phase == v1alpha1.CanaryWaiting || phase == v1alpha1.CanaryRolledBack {
		s.Weight, s.Mirror = 0, 0
	}
}

// hold keeps the weight, and shows how the values go on, which changes nothing.
func (n *next) hold(reason, message string) {
	if n.Evidence != nil {
		n.judge()
	} else {
		n.out.Status.Samples, n.out.Status.Values = n.before.Samples, n.before.Values
	}
	n.enter(v1alpha1.CanaryPaused, reason, message)
}

// pause holds the plan as a person asks. A step that has not begun has no weight to keep: Since is not set then.
func (n *next) pause() {
	what := "keeps its weight"
	if n.before.Phase == v1alpha1.CanaryWaiting {
		n.out.Status.Since = nil
	}
	if n.out.Status.Since == nil {
		what = "does not begin"
	}
	n.hold(v1alpha1.ReasonPausedByHand, fmt.Sprintf("step %d of %d %s, because spec.canary.paused is true",
		n.before.Step, len(n.Spec.Plan.Steps), what))
	if n.out.Status.Since == nil {
		n.out.Status.Weight, n.out.Status.Mirror = 0, 0
	}
}

// wait waits until the canary may get requests. Its step then begins anew, with what it gets then.
func (n *next) wait() {
	limit, began := n.Spec.Plan.WaitLimit.Duration, n.before.Since
	if n.before.Phase != v1alpha1.CanaryWaiting || began == nil {
		began = &metav1.Time{Time: n.Now}
	}
	n.out.Status.Since = began
	left := began.Add(limit).Sub(n.Now)
	if left > 0 {
		n.enter(v1alpha1.CanaryWaiting, n.Cause.Reason, n.Cause.Message)
		n.out.Due = left
		return
	}
	n.enter(v1alpha1.CanaryPaused, v1alpha1.ReasonCanaryNotReady,
		fmt.Sprintf("the canary got no requests for %s: %s", limit, n.Cause.Message))
}

// begin begins a step.
func (n *next) begin(step int32) {
	n.step = n.Spec.Plan.Steps[step-1]
	n.out.Begins = true
	n.out.Due = n.step.For.Duration
	s := &n.out.Status
	s.Step, s.Since, s.Samples, s.Values = step, &metav1.Time{Time: n.Now}, v1alpha1.CanarySamples{}, nil
	n.enter(v1alpha1.CanaryProgressing, v1alpha1.ReasonCanaryProgressing, n.place()+": it has just begun")
}

// walk judges the step, and goes on if it can.
func (n *next) walk() {
	values := n.judge()
	for _, v := range values {
		if v.Verdict == judge.Bad {
			n.fail(v)
			return
		}
	}
	missing, reason := n.missing(values)
	over := n.before.Since.Add(n.step.For.Duration)
	switch {
	case n.Now.Before(over):
		n.out.Due = over.Sub(n.Now)
		n.progress(missing)
	case missing != "":
		n.late(over, missing, reason)
	case n.Evidence.At.Before(over): // the step's last requests have not been read
		n.late(over, n.because("its last requests are being counted"), v1alpha1.ReasonNoData)
	default:
		n.succeed()
	}
}

// judge fills in what is known about the step.
func (n *next) judge() []judge.Value {
	s := &n.out.Status
	s.Samples = n.Evidence.samples()
	values := limitsOf(n.Spec.Plan).Judge(n.Evidence.Window, n.Evidence.Looks)
	s.Values = nil
	for _, v := range values {
		s.Values = append(s.Values, v1alpha1.CanaryValue{
			Name: v.Name, Published: v.Published, Canary: v.Canary, Limit: v.Limit, Verdict: verdictOf(v.Verdict),
		})
	}
	return values
}

func verdictOf(v judge.Verdict) string {
	switch v {
	case judge.Good:
		return v1alpha1.VerdictGood
	case judge.Bad:
		return v1alpha1.VerdictBad
	case judge.Waiting:
	}
	return v1alpha1.VerdictWaiting
}

// missing says what the step lacks, and the reason if it lacks that for too long; empty if nothing.
func (n *next) missing(values []judge.Value) (sentence, reason string) {
	if few := limitsOf(n.Spec.Plan).Enough(n.Evidence.Window); few != "" {
		return n.because(few), v1alpha1.ReasonNoData
	}
	for _, v := range values {
		if v.Verdict != judge.Waiting {
			continue
		}
		if reason = v1alpha1.ReasonUndecided; v.Scarce {
			reason = v1alpha1.ReasonNoData
		}
		return n.because(v.Name + ": " + v.Sentence()), reason
	}
	return "", ""
}

// because adds why requests cannot be counted, if they cannot.
func (n *next) because(sentence string) string {
	if n.Evidence.Unread != "" {
		sentence += "; " + n.Evidence.Unread
	}
	return sentence
}

// place is where the plan is: "step 1 of 3, 5 % of the requests for 10m0s".
func (n *next) place() string {
	return fmt.Sprintf("step %d of %d, %d %% of the requests for %s",
		n.out.Status.Step, len(n.Spec.Plan.Steps), n.step.Weight, n.step.For.Duration)
}

func (n *next) progress(missing string) {
	if missing == "" {
		missing = "within all limits so far"
	}
	n.enter(v1alpha1.CanaryProgressing, v1alpha1.ReasonCanaryProgressing, n.place()+": "+missing)
}

// late waits after the end of a step's time for what it lacks, as long as it may.
func (n *next) late(over time.Time, missing, reason string) {
	limit := n.Spec.Plan.WaitLimit.Duration
	if left := over.Add(limit).Sub(n.Now); left > 0 {
		n.out.Due = left
		n.progress(missing)
		return
	}
	n.enter(v1alpha1.CanaryPaused, reason, fmt.Sprintf("%s, and %s more: %s", n.place(), limit, missing))
}

// fail ends the plan, or pauses it, because of a value.
func (n *next) fail(v judge.Value) {
	phase := v1alpha1.CanaryRolledBack
	if n.Spec.Plan.OnFailure == v1alpha1.CanaryPause {
		phase = v1alpha1.CanaryPaused
	}
	n.enter(phase, v1alpha1.ReasonLimitExceeded, fmt.Sprintf("%s: %s: %s", n.place(), v.Name, v.Sentence()))
}

// succeed goes on to the next step, or ends the plan.
func (n *next) succeed() {
	step := n.out.Status.Step
	if int(step) < len(n.Spec.Plan.Steps) {
		n.begin(step + 1)
		return
	}
	phase, what := v1alpha1.CanaryPromoting, "it is promoted"
	if n.Spec.Plan.OnSuccess == v1alpha1.CanaryPause {
		phase, what = v1alpha1.CanaryPaused, "it can be promoted"
	}
	w := n.Evidence.Window
	n.enter(phase, v1alpha1.ReasonPlanSucceeded, fmt.Sprintf(
		"all %d steps were within the limits, the last one with %d requests to %q and %d to %q: %s",
		step, w.Canary.Requests.Total, w.Canary.Version, w.Published.Requests.Total, w.Published.Version, what))
}
