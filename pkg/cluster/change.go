package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/behind"
	"krt.dev/kn-krt/pkg/cluster/value"
)

// Start asks for the named version to be started; the comment is kept in its history.
// already is true if it is started and ready: then nothing is changed, and there is nothing
// to wait for. A version whose config lacks a value is refused.
func (c *Client) Start(ctx context.Context, name, comment string) (already bool, err error) {
	v, err := c.Get(ctx, name)
	switch {
	case err != nil:
		return false, err
	case v.DeletionTimestamp != nil:
		return false, c.refuse("start", name, RuleDeleted)
	case v.Spec.State == v1alpha1.StateStarted && v.IsReady():
		return true, nil
	}
	values, err := c.ConfigValues(ctx, v)
	if err != nil {
		return false, err
	}
	if missing := value.Missing(v.Spec.Config, values); missing != nil {
		refused := c.refuse("start", name, RuleConfigMissing)
		refused.Missing = missing
		return false, refused
	}
	if v.Spec.State == v1alpha1.StateStarted {
		return false, nil
	}
	return false, c.setSpec(ctx, v, map[string]any{"state": v1alpha1.StateStarted}, comment)
}

// Stop asks for the named version to be stopped; the comment is kept in its history.
// already is true if it is stopped: then nothing is changed, and there is nothing to wait
// for. A published version is refused.
func (c *Client) Stop(ctx context.Context, name, comment string) (already bool, err error) {
	v, err := c.Get(ctx, name)
	if err != nil {
		return false, err
	}
	if err := c.requireUnpublished(ctx, name, "stop"); err != nil {
		return false, err
	}
	switch {
	case v.Spec.State == v1alpha1.StateStarted:
		return false, c.setSpec(ctx, v, map[string]any{"state": v1alpha1.StateStopped}, comment)
	case v.Status.Phase == v1alpha1.PhaseStopping:
		return false, nil
	}
	return true, nil
}

// LeaveQueue has a stop of the named version not wait until its queue is empty: what is left
// there continues at the next start.
func (c *Client) LeaveQueue(ctx context.Context, name string) error {
	v, err := c.Get(ctx, name)
	if err != nil {
		return err
	}
	return c.annotate(ctx, v, v1alpha1.AnnotationStop, v1alpha1.StopNow)
}

// Restart asks for the named version, which must be started, to take on what has changed
// in the cluster since it was started: the settings, and kn-krt itself. The comment is
// kept in its history.
func (c *Client) Restart(ctx context.Context, name, comment string) error {
	v, err := c.Get(ctx, name)
	switch {
	case err != nil:
		return err
	case v.DeletionTimestamp != nil:
		return c.refuse("restart", name, RuleDeleted)
	case v.Spec.State != v1alpha1.StateStarted:
		return c.refuse("restart", name, RuleStopped)
	}
	return c.setSpec(ctx, v, map[string]any{"restart": time.Now().UTC().Format(time.RFC3339Nano)}, comment)
}

// Behind returns the names of [behind.Names] of the namespace.
func (c *Client) Behind(ctx context.Context) ([]string, error) {
	all, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	r, err := c.Runtime(ctx)
	if err != nil {
		return nil, err
	}
	return behind.Names(all.Items, r), nil
}

// Warm asks for the nodes of the named version, which must be started, to be woken, and kept up until then:
// status.warm has how far that is.
func (c *Client) Warm(ctx context.Context, name string, until time.Time) error {
	v, err := c.Get(ctx, name)
	switch {
	case err != nil:
		return err
	case v.Spec.State != v1alpha1.StateStarted:
		return c.refuse("warm", name, RuleStopped)
	}
	return c.annotate(ctx, v, v1alpha1.AnnotationWarmUntil, until.UTC().Format(time.RFC3339))
}

func (c *Client) annotate(ctx context.Context, v *v1alpha1.Version, key, value string) error {
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, key, value)
	return c.explainVersion(ctx, "change", v.Name, c.kube.Patch(ctx, v, client.RawPatch(types.MergePatchType, patch), fieldOwner))
}

// setSpec changes fields of the spec; the comment replaces the last one, also by nothing.
func (c *Client) setSpec(ctx context.Context, v *v1alpha1.Version, spec map[string]any, comment string) error {
	spec["comment"] = nil // null removes the last one
	if comment != "" {
		spec["comment"] = comment
	}
	change := map[string]any{"spec": spec}
	if spec["state"] == v1alpha1.StateStarted && v.StopsNow() { // that was the last stop
		change["metadata"] = map[string]any{"annotations": map[string]any{v1alpha1.AnnotationStop: nil}}
	}
	patch, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("cannot change version %q: %w", v.Name, err)
	}
	return c.explainVersion(ctx, "change", v.Name, c.kube.Patch(ctx, v, client.RawPatch(types.MergePatchType, patch), fieldOwner))
}

// requireUnpublished refuses to do what cannot be done to a published version.
func (c *Client) requireUnpublished(ctx context.Context, name, verb string) error {
	r, err := c.Runtime(ctx)
	switch {
	case err != nil:
		return err
	case r == nil:
	case r.Spec.PublishedVersion == name:
		return c.refuse(verb, name, RulePublished)
	case r.Spec.Canary != nil && r.Spec.Canary.Version == name:
		return c.refuse(verb, name, RuleCanary)
	case r.Status.PublishedVersion == name:
		refused := c.refuse(verb, name, RuleStillPublished)
		refused.Other = r.Spec.PublishedVersion
		return refused
	}
	return nil
}
