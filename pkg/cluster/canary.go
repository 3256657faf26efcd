package cluster

import (
	"cmp"
	"context"
	"fmt"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// PublishCanary asks for a version, which must be started and ready, to get a share of the requests to
// the published version, or copies of them; of the canary itself, what it gets is replaced. already is
// true if that is what it gets: then nothing is changed. A conflict is as in [Client.Publish].
func (c *Client) PublishCanary(ctx context.Context, canary v1alpha1.Canary, comment string) (already bool, err error) {
	const verb = "publish"
	v, err := c.Get(ctx, canary.Version)
	if err != nil {
		return false, err
	}
	r, err := c.Runtime(ctx)
	switch {
	case err != nil:
		return false, err
	case r == nil || r.Spec.PublishedVersion == "":
		return false, c.refuse(verb, v.Name, RuleNothingPublished)
	case r.Spec.PublishedVersion == v.Name:
		return false, c.refuse(verb, v.Name, RuleSameVersion)
	case canaryOf(r) != v.Name:
		if err := c.requireNoCanary(r, verb, v.Name); err != nil {
			return false, err
		}
	default:
		canary.Resume = r.Spec.Canary.Resume // it says nothing by itself
	}
	if r.Spec.Canary != nil && apiequality.Semantic.DeepEqual(*r.Spec.Canary, canary) {
		return true, c.requireNotRolledBack(r, verb)
	}
	if err := c.requirePublishable(r, v, verb); err != nil {
		return false, err
	}
	return false, c.setCanary(ctx, r, comment, &canary)
}

// SetWeight asks for the named canary to get that percentage of the requests. already is true if it
// does. The weight of a canary with a plan is the plan's.
func (c *Client) SetWeight(ctx context.Context, name string, weight int32, comment string) (already bool, err error) {
	r, err := c.withCanary(ctx, "change the weight of", name)
	switch {
	case err != nil:
		return false, err
	case r.Spec.Canary.Plan != nil:
		return false, c.refuse("change the weight of", name, RulePlanned)
	case r.Spec.Canary.Weight == weight:
		return true, nil
	}
	changed := r.Spec.Canary.DeepCopy()
	changed.Weight = weight
	return false, c.setCanary(ctx, r, comment, changed)
}

// Promote asks for the canary to be published instead of the version that is, and returns its name.
// It must be started and ready, and serve the published contract.
func (c *Client) Promote(ctx context.Context, comment string) (version string, err error) {
	r, err := c.withCanary(ctx, "promote", "")
	if err != nil {
		return "", err
	}
	v, err := c.Get(ctx, r.Spec.Canary.Version)
	if err != nil {
		return "", err
	}
	return v.Name, c.promote(ctx, r, v, "promote", comment)
}

// promote publishes the version v, which is r's canary.
func (c *Client) promote(ctx context.Context, r *v1alpha1.Runtime, v *v1alpha1.Version, verb, comment string) error {
	if s := canaryStatus(r); s != nil && s.Phase == v1alpha1.CanaryRefused {
		refused := c.refuse(verb, v.Name, RuleCanaryRefused)
		refused.Why = s.Message
		return refused
	}
	if err := c.requirePublishable(r, v, verb); err != nil {
		return err
	}
	return c.setRuntime(ctx, r, fmt.Sprintf("cannot %s version %q", verb, v.Name), comment, func(s *v1alpha1.RuntimeSpec) {
		s.PublishedVersion, s.Canary = v.Name, nil
	})
}

// Abort asks for the canary to get no requests any more, and returns its name. It stays started.
func (c *Client) Abort(ctx context.Context, comment string) (version string, err error) {
	r, err := c.withCanary(ctx, "abort", "")
	if err != nil {
		return "", err
	}
	return r.Spec.Canary.Version, c.setCanary(ctx, r, comment, nil)
}

// Pause asks the plan of the canary to keep the present weight, and returns the canary's name. already
// is true if it was asked before.
func (c *Client) Pause(ctx context.Context, comment string) (version string, already bool, err error) {
	r, err := c.withPlan(ctx, "pause")
	if err != nil {
		return "", false, err
	}
	changed := r.Spec.Canary.DeepCopy()
	if changed.Paused {
		return changed.Version, true, nil
	}
	changed.Paused = true
	return changed.Version, false, c.setCanary(ctx, r, comment, changed)
}

// Resume asks the plan of the canary, which is paused by [Client.Pause] or has paused by itself, to go on
// at its present step, and returns the canary's name. already is true if it is not paused.
func (c *Client) Resume(ctx context.Context, comment string) (version string, already bool, err error) {
	r, err := c.withPlan(ctx, "resume")
	if err != nil {
		return "", false, err
	}
	s, changed := canaryStatus(r), r.Spec.Canary.DeepCopy()
	switch {
	case changed.Paused: // its plan may have paused by itself before that
		changed.Paused, changed.Resume = false, time.Now().UTC().Format(time.RFC3339Nano)
	case s == nil || s.Phase != v1alpha1.CanaryPaused:
		return canaryOf(r), true, nil
	default:
		changed.Resume = time.Now().UTC().Format(time.RFC3339Nano)
	}
	return changed.Version, false, c.setCanary(ctx, r, comment, changed)
}

// withPlan returns the Runtime, whose canary has a plan that has not ended.
func (c *Client) withPlan(ctx context.Context, verb string) (*v1alpha1.Runtime, error) {
	r, err := c.withCanary(ctx, verb, "")
	switch {
	case err != nil:
		return nil, err
	case r.Spec.Canary.Plan == nil:
		return nil, c.refuse(verb, canaryOf(r), RuleNoPlan)
	}
	return r, c.requireNotRolledBack(r, verb)
}

// setCanary makes it, or nil, the canary of the Runtime r.
func (c *Client) setCanary(ctx context.Context, r *v1alpha1.Runtime, comment string, canary *v1alpha1.Canary) error {
	name := canaryOf(r)
	if canary != nil {
		name = canary.Version
	}
	doing := fmt.Sprintf("cannot change what canary %q gets", name)
	return c.setRuntime(ctx, r, doing, comment, func(s *v1alpha1.RuntimeSpec) { s.Canary = canary })
}

// withCanary returns the Runtime, which has a canary: the named one, unless name is "".
func (c *Client) withCanary(ctx context.Context, verb, name string) (*v1alpha1.Runtime, error) {
	if name != "" {
		if _, err := c.Get(ctx, name); err != nil {
			return nil, err
		}
	}
	r, err := c.Runtime(ctx)
	switch canary := canaryOf(r); {
	case err != nil:
		return nil, err
	case canary == "" || name != "" && canary != name:
		return nil, c.refuse(verb, name, RuleNoCanary)
	}
	return r, nil
}

// requireNoCanary refuses to change what is published while it has a canary: which version gets what
// would change by a command that does not mention it.
func (c *Client) requireNoCanary(r *v1alpha1.Runtime, verb, name string) error {
	if canaryOf(r) == "" {
		return nil
	}
	refused := c.refuse(verb, name, RuleOtherCanary)
	refused.Other = canaryOf(r)
	return refused
}

// requireNotRolledBack refuses to leave a canary as it is that its plan has rolled back.
func (c *Client) requireNotRolledBack(r *v1alpha1.Runtime, verb string) error {
	s := canaryStatus(r)
	if s == nil || s.Phase != v1alpha1.CanaryRolledBack {
		return nil
	}
	refused := c.refuse(verb, s.Version, RuleRolledBack)
	refused.Why = cmp.Or(s.Message, s.Reason)
	return refused
}

// canaryOf is the name of the canary that r, which may be nil, asks for; "" for none.
func canaryOf(r *v1alpha1.Runtime) string {
	if r == nil || r.Spec.Canary == nil {
		return ""
	}
	return r.Spec.Canary.Version
}

// canaryStatus is what is observed of the canary that r asks for; nil before anything is.
func canaryStatus(r *v1alpha1.Runtime) *v1alpha1.CanaryStatus {
	if s := r.Status.Canary; s != nil && s.Version == canaryOf(r) {
		return s
	}
	return nil
}
