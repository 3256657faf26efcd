package v1alpha1

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MarkCanaryWaiting reports why spec.canary gets no requests yet, or no more, and what to do next.
// Whether it may still get some is as known.
func (r *Runtime) MarkCanaryWaiting(reason, message string) {
	r.markCanary(CanaryStatus{Phase: CanaryWaiting, Reason: reason, Message: trim(message)})
}

// MarkCanaryRefused reports how the contract of spec.canary differs from the published one.
func (r *Runtime) MarkCanaryRefused(message string) {
	r.markCanary(CanaryStatus{Phase: CanaryRefused, Reason: ReasonContractDiffers, Message: trim(message)})
}

// MarkCanaryServing reports that spec.canary gets its share, since at if it did not before, and what it has got.
func (r *Runtime) MarkCanaryServing(at metav1.Time, samples CanarySamples) {
	c, before := r.Spec.Canary, r.Status.Canary
	next := CanaryStatus{Phase: CanaryServing, Weight: c.Weight, Mirror: c.Mirror, Receiving: true, Since: &at, Samples: samples}
	if before != nil && before.Of == c.ID(r.Status.PublishedVersion) && before.Phase == CanaryServing && before.Since != nil {
		next.Since = before.Since
	}
	r.markCanary(next)
	r.Status.Canary.Message = fmt.Sprintf("%q gets from %q: %s", c.Version, r.Status.PublishedVersion, r.CanaryShare())
}

// MarkCanaryWalking reports where the plan of spec.canary is. gets: the canary gets requests now.
func (r *Runtime) MarkCanaryWalking(s CanaryStatus, gets bool) {
	s.Receiving, s.Message = gets, trim(s.Message)
	r.markCanary(s)
}

// markCanary sets the status of spec.canary. Whether a canary of that name receives requests stays.
func (r *Runtime) markCanary(s CanaryStatus) {
	s.Version, s.Of = r.Spec.Canary.Version, r.Spec.Canary.ID(r.Status.PublishedVersion)
	s.Receiving = s.Receiving || r.Receives(s.Version)
	r.Status.Canary = &s
}

// MarkCanaryPromoting reports that the canary gets all requests while it is being published. If that is
// taken back, its plan begins anew.
func (r *Runtime) MarkCanaryPromoting() {
	if s := r.Status.Canary; s != nil {
		s.Of = ""
		s.Phase, s.Weight, s.Mirror, s.Reason = CanaryPromoting, 100, 0, ReasonPublishing
		s.Message = fmt.Sprintf("%q gets all requests; it is being published instead of %q", s.Version, r.Status.PublishedVersion)
	}
}

// MarkCanaryLeaving reports that a canary gets no requests any more, as the spec asks. If it becomes the
// canary again, its plan begins anew.
func (r *Runtime) MarkCanaryLeaving() {
	if s := r.Status.Canary; s != nil {
		s.Of = ""
		s.Phase, s.Weight, s.Mirror, s.Reason = CanaryWaiting, 0, 0, ReasonLeaving
		s.Message = fmt.Sprintf("%q is no longer the canary: the entrypoints of %q are being updated", s.Version, r.Status.PublishedVersion)
	}
}

// MarkCanaryReceivesNothing reports that no entrypoint sends requests or copies to the canary.
func (r *Runtime) MarkCanaryReceivesNothing() {
	if s := r.Status.Canary; s != nil {
		s.Receiving = false
	}
}

// MarkNoCanary removes the status of a canary.
func (r *Runtime) MarkNoCanary() { r.Status.Canary = nil }
