package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Publish asks for the named version, which must be started and ready, to be published
// instead of the one that is; the comment is kept in the history. already is true if it is
// published: then nothing is changed, and there is nothing to wait for. The canary is promoted;
// another version is refused while there is one. If somebody else changes what is published at the
// same time, the error has ReasonConflict.
func (c *Client) Publish(ctx context.Context, name, comment string) (already bool, err error) {
	v, err := c.Get(ctx, name)
	if err != nil {
		return false, err
	}
	r, err := c.Runtime(ctx)
	if err != nil {
		return false, err
	}
	if r != nil && r.Spec.PublishedVersion == name && r.Status.PublishedVersion == name {
		return true, nil
	}
	if canaryOf(r) == name {
		return false, c.promote(ctx, r, v, "publish", comment)
	}
	if err := c.requireNoCanary(r, "publish", name); err != nil {
		return false, err
	}
	if err := c.requirePublishable(r, v, "publish"); err != nil {
		return false, err
	}
	return false, c.point(ctx, r, name, comment)
}

// Unpublish asks for the named version, which must be published, not to be published any
// more; the comment is kept in the history.
func (c *Client) Unpublish(ctx context.Context, name, comment string) error {
	r, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	if r != nil && r.Spec.PublishedVersion == name {
		if err := c.requireNoCanary(r, "unpublish", name); err != nil {
			return err
		}
		return c.point(ctx, r, "", comment)
	}
	if _, err := c.Get(ctx, name); err != nil {
		return err
	}
	if canaryOf(r) == name {
		return c.refuse("unpublish", name, RuleCanary)
	}
	refused := c.refuse("unpublish", name, RuleNotPublished)
	if r != nil {
		refused.Other = r.Spec.PublishedVersion
	}
	return refused
}

// Rollback asks for the previously published version to be published again, and returns its
// name: the one before the current one or, if none is published, the last one that was. It
// must be started and ready.
func (c *Client) Rollback(ctx context.Context, comment string) (version string, err error) {
	r, err := c.Runtime(ctx)
	if err != nil {
		return "", err
	}
	if r == nil {
		return "", c.refuse("roll back", "", RuleNeverPublished)
	}
	if err := c.requireNoCanary(r, "roll back", ""); err != nil {
		return "", err
	}
	version = previous(r)
	if version == "" {
		refused := c.refuse("roll back", "", RuleFirstPublished)
		refused.Other = r.Spec.PublishedVersion
		return "", refused
	}
	v, err := c.Get(ctx, version)
	var unknown *NotFoundError
	switch {
	case errors.As(err, &unknown):
		return "", c.refuse("roll back to", version, RulePreviousDeleted)
	case err != nil:
		return "", err
	}
	if err := c.requirePublishable(r, v, "roll back to"); err != nil {
		return "", err
	}
	return version, c.point(ctx, r, version, comment)
}

// previous is the version that was published before the present one; "" if none was.
func previous(r *v1alpha1.Runtime) string {
	for i := len(r.Status.History) - 1; i >= 0; i-- {
		if name := r.Status.History[i].Version; name != "" && name != r.Spec.PublishedVersion {
			return name
		}
	}
	return ""
}

// requirePublishable refuses what the controller would not publish either: a version that
// is not started and ready (KRT V1, "Version lifecycle"). One that is up, and not ready
// only for a moment, as while Knative reconciles a Sequence again, is accepted. One that is being deleted
// would stay, but is refused unless r, which may be nil, has it published.
func (c *Client) requirePublishable(r *v1alpha1.Runtime, v *v1alpha1.Version, verb string) error {
	if v.DeletionTimestamp != nil && (r == nil || r.Status.PublishedVersion != v.Name) {
		return c.refuse(verb, v.Name, RuleDeleted)
	}
	if v.WantedState() != v1alpha1.StateStarted {
		return c.refuse(verb, v.Name, RuleStopped)
	}
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	passing := v.Status.Phase == v1alpha1.PhaseStarted && ready != nil && ready.Status == metav1.ConditionUnknown
	if v.IsReady() || passing {
		return nil
	}
	refused := c.refuse(verb, v.Name, RuleNotReady)
	refused.Why = cmp.Or(Readiness(v).String(), "the controller has not seen it yet")
	return refused
}

// point makes the named version, or none, the one that the namespace's Runtime is to have
// published. r is that Runtime; nil if there is none yet.
func (c *Client) point(ctx context.Context, r *v1alpha1.Runtime, name, comment string) error {
	doing := fmt.Sprintf("cannot publish version %q", name)
	if name == "" {
		doing = "cannot unpublish"
	}
	if r == nil {
		return c.explainPublished(c.kube.Create(ctx, &v1alpha1.Runtime{
			ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.RuntimeName, Namespace: c.namespace},
			Spec:       v1alpha1.RuntimeSpec{PublishedVersion: name, Comment: comment},
		}, fieldOwner), doing)
	}
	return c.setRuntime(ctx, r, doing, comment, func(s *v1alpha1.RuntimeSpec) { s.PublishedVersion = name })
}

// setRuntime changes the spec of the Runtime r as it was read: what somebody else has changed meanwhile
// is not undone unseen. The comment replaces the last one, also by nothing.
func (c *Client) setRuntime(ctx context.Context, r *v1alpha1.Runtime, doing, comment string, change func(*v1alpha1.RuntimeSpec)) error {
	changed := r.DeepCopy()
	change(&changed.Spec)
	changed.Spec.Comment = comment
	lock := client.MergeFromWithOptions(r, client.MergeFromWithOptimisticLock{})
	return c.explainPublished(c.kube.Patch(ctx, changed, lock, fieldOwner), doing)
}

func (c *Client) explainPublished(err error, doing string) error {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return c.conflict(doing, fmt.Sprintf("what is published in namespace %q", c.namespace))
	}
	return c.explain(err, doing)
}
