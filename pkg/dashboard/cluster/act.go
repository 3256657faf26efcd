package cluster

import (
	"context"
	"errors"
	"slices"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/cluster/value"
	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Act implements [source.Source]. The comment of a deletion is not kept: the history goes
// with the version.
func (s *Source) Act(ctx context.Context, order source.Order) error {
	c, err := s.in(order.Ref)
	if err != nil {
		return err
	}
	switch order.Action {
	case source.Start:
		_, err = c.Start(ctx, order.Name, order.Comment)
	case source.Stop:
		_, err = c.Stop(ctx, order.Name, order.Comment)
	case source.Restart:
		err = c.Restart(ctx, order.Name, order.Comment)
	case source.Publish:
		_, err = c.Publish(ctx, order.Name, order.Comment)
	case source.Unpublish:
		err = c.Unpublish(ctx, order.Name, order.Comment)
	case source.Rollback:
		err = rollback(ctx, c, order)
	case source.Delete:
		if _, err = c.Deletable(ctx, order.Name, false); err == nil {
			err = c.Delete(ctx, order.Name)
		}
	case source.Promote, source.Abort, source.Pause, source.Resume, source.Weigh:
		err = actOnCanary(ctx, c, order)
	default:
		err = &source.RefusedError{Refusal: source.Unavailable, Text: "there is no action " + string(order.Action)}
	}
	return s.explain(order.Ref, err)
}

// rollback rolls back what the user has seen published, and nothing else.
func rollback(ctx context.Context, c *cluster.Client, order source.Order) error {
	r, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	if r == nil || r.Spec.PublishedVersion != order.Name {
		refused := &cluster.RefusedError{
			Verb: "roll back", Version: order.Name, Namespace: order.Namespace, Rule: cluster.RuleNotPublished,
		}
		if r != nil {
			refused.Other = r.Spec.PublishedVersion
		}
		return refused
	}
	_, err = c.Rollback(ctx, order.Comment)
	return err
}

// actOnCanary does what the user wants to be done with the canary that they have seen, and with no other.
func actOnCanary(ctx context.Context, c *cluster.Client, order source.Order) error {
	r, err := c.Runtime(ctx)
	if err != nil {
		return err
	}
	if r == nil || r.Spec.Canary == nil || r.Spec.Canary.Version != order.Name {
		return &cluster.RefusedError{
			Verb: string(order.Action), Version: order.Name, Namespace: order.Namespace, Rule: cluster.RuleNoCanary,
		}
	}
	switch order.Action {
	case source.Promote:
		_, err = c.Promote(ctx, order.Comment)
	case source.Abort:
		_, err = c.Abort(ctx, order.Comment)
	case source.Pause:
		_, _, err = c.Pause(ctx, order.Comment)
	case source.Resume:
		_, _, err = c.Resume(ctx, order.Comment)
	case source.Weigh:
		_, err = c.SetWeight(ctx, order.Name, int32(order.Weight), order.Comment)
	}
	return err
}

// in returns a client for the version's namespace, if that is shown.
func (s *Source) in(ref source.Ref) (*cluster.Client, error) {
	if ref.Namespace == "" || !s.shows(ref.Namespace) {
		return nil, &source.NotFoundError{Ref: ref}
	}
	return s.client.In(ref.Namespace), nil
}

// get reads a version with all that it has, and returns it with a client for its namespace.
func (s *Source) get(ctx context.Context, ref source.Ref) (*cluster.Client, *v1alpha1.Version, error) {
	c, err := s.in(ref)
	if err != nil {
		return nil, nil, err
	}
	v, err := c.Get(ctx, ref.Name)
	return c, v, s.explain(ref, err)
}

// explain makes an error of the source's of one of the cluster's client.
func (s *Source) explain(ref source.Ref, err error) error {
	var (
		unknown *cluster.NotFoundError
		refused *cluster.RefusedError
		wrong   *value.Error
		failed  *cluster.Error
	)
	refusal := source.Conflict
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		return &source.NotFoundError{Ref: ref}
	case errors.As(err, &refused), errors.As(err, &wrong):
	case !errors.As(err, &failed):
		return err
	case failed.Reason == cluster.ReasonForbidden:
		refusal = source.Forbidden
	case failed.Reason == cluster.ReasonUnauthorized:
		refusal = source.Unauthorized
	case failed.Reason == cluster.ReasonConflict, failed.Reason == cluster.ReasonNamespaceTerminating, refusedByRule(failed):
	default:
		return err
	}
	shown := &source.RefusedError{Refusal: refusal, Text: err.Error(), Next: s.hint(ref.Namespace, err)}
	if refused != nil && refused.Missing != nil {
		shown.Missing = slices.Concat(refused.Missing.Variables, refused.Missing.Files)
	}
	return shown
}

// hint is what to do next about an error; "" if there is nothing to say.
func (s *Source) hint(namespace string, err error) string {
	if s.options.Hint == nil {
		return ""
	}
	return s.options.Hint(namespace, err)
}

// refusedByRule reports that the API server has refused what was asked for, by a rule of the
// kind or of a webhook.
func refusedByRule(err *cluster.Error) bool {
	return err.Reason == cluster.ReasonOther && response.Refused(err.Err)
}
