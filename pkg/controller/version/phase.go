package version

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// interval is after what time a version that is not as it should be is reconciled again,
// for what no watch reports, such as the end of an object with another owner.
const interval = 30 * time.Second

// situation is all that the phase of a version depends on.
type situation struct {
	before v1alpha1.Phase
	// run: the version is to run, because it is asked to or is published.
	run bool
	// remains: objects exist that a stop deletes.
	remains bool
	ready   metav1.ConditionStatus
	// failed: a cause that needs a person has lasted for the start timeout.
	failed bool
	// wanted and published: the Runtime's spec names the version, its status names it.
	wanted, published bool
}

// phase is where the version is in its life. Once started it stays started until it
// stops, ready or not: the condition Ready reports what fails later.
func (s situation) phase() v1alpha1.Phase {
	isReady := s.ready == metav1.ConditionTrue
	switch {
	case !s.run && s.remains:
		return v1alpha1.PhaseStopping
	case !s.run:
		return v1alpha1.PhaseStopped
	case s.published:
		return v1alpha1.PhasePublished
	case isReady && s.wanted:
		return v1alpha1.PhasePublishing
	case isReady || isLive(s.before):
		return v1alpha1.PhaseStarted
	case s.failed:
		return v1alpha1.PhaseStopped
	default:
		return v1alpha1.PhaseStarting
	}
}

// requeue is after what time to reconcile again although no watch reports anything; 0 for never.
func (s situation) requeue(v *v1alpha1.Version, p progress, timeout time.Duration, now time.Time) time.Duration {
	switch {
	case p.poll:
		return time.Second
	case s.run && s.ready == metav1.ConditionTrue:
		return p.due
	case !s.run && !s.remains:
		return 0
	case s.run && !s.failed:
		if since, failing := v.FailedSince(); failing {
			if left := timeout - now.Sub(since); left > 0 {
				return min(interval, left+time.Second) // times in a status are whole seconds
			}
		}
	}
	return interval
}

// isLive reports whether a version in this phase has been started and not stopped since.
func isLive(p v1alpha1.Phase) bool {
	return p == v1alpha1.PhaseStarted || p == v1alpha1.PhasePublishing || p == v1alpha1.PhasePublished
}

// startFailed reports whether a start has failed: a cause that needs a person has lasted for
// timeout in a version that has not been live since it was asked to start.
func startFailed(v *v1alpha1.Version, now time.Time, timeout time.Duration) bool {
	since, failing := v.FailedSince()
	return failing && !isLive(v.Status.Phase) && now.Sub(since) >= timeout
}

// publication is what the Runtime of a namespace has about one version.
type publication struct {
	// wanted: the spec names it. published: the status names it.
	wanted, published bool
	// canaryOf is the published version whose canary it is, empty if it is none; share is what it
	// gets of that one's requests, receives whether it may get any.
	canaryOf, share string
	receives        bool
	// waits is why it cannot be published, if that is not the version's own fault.
	waits string
}

// publicationOf reads rt, nil if there is none. A Runtime that is being deleted publishes
// nothing.
func publicationOf(rt *v1alpha1.Runtime, version string) publication {
	if rt == nil || rt.DeletionTimestamp != nil {
		return publication{}
	}
	p := publication{wanted: rt.Spec.PublishedVersion == version, published: rt.Status.PublishedVersion == version}
	if rt.Uses(version) == v1alpha1.UseCanary {
		p.canaryOf, p.share, p.receives = rt.Status.PublishedVersion, rt.CanaryShare(), rt.Receives(version)
	}
	c := rt.Status.Condition(v1alpha1.ConditionReady)
	if p.wanted && c != nil && c.Status == metav1.ConditionFalse {
		switch c.Reason {
		case v1alpha1.ReasonVersionNotReady, v1alpha1.ReasonVersionNotFound: // the version itself knows better
		default:
			p.waits = c.Message
		}
	}
	return p
}

// blocksStop reports whether the version must go on serving although it is asked to
// stop: it is published, or it is live and about to be.
func (p publication) blocksStop(phase v1alpha1.Phase) bool {
	return p.published || p.wanted && isLive(phase)
}

// runs reports whether the version is to run: it is asked to, or it must not stop. A canary
// runs until no entrypoint sends requests to it.
func (p publication) runs(v *v1alpha1.Version) bool {
	if p.blocksStop(v.Status.Phase) || p.receives && isLive(v.Status.Phase) {
		return true
	}
	return v.WantedState() == v1alpha1.StateStarted && (v.DeletionTimestamp == nil || p.blocksDeletion())
}

// blocksDeletion reports whether the version must not be deleted.
func (p publication) blocksDeletion() bool { return p.published || p.wanted }
