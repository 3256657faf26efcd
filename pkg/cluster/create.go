package cluster

import (
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/cluster/value"
	"krt.dev/kn-krt/pkg/krt/configvalue"
)

// CheckCreate asks the cluster whether it would accept the version, and a Secret with
// these config values for it: the name, the rights, the namespace, the rules of the kind.
// Nothing is created. It returns what of the version's config has no value, neither in
// values nor in a Secret that is there from before; nil if nothing.
func (c *Client) CheckCreate(ctx context.Context, v *v1alpha1.Version, values map[string][]byte) (*configvalue.MissingError, error) {
	if err := c.kube.Create(ctx, v.DeepCopy(), client.DryRunAll, fieldOwner); err != nil {
		return nil, c.explainCreate(ctx, v.Name, err)
	}
	all, err := c.ConfigValues(ctx, v)
	if err != nil {
		return nil, err
	}
	all = maps.Clone(all)
	if all == nil {
		all = map[string][]byte{}
	}
	maps.Copy(all, values)
	if len(values) > 0 {
		// Whoever may create the Secret may, by all usual roles, change it as well.
		err := c.kube.Create(ctx, c.configSecret(v.Name), client.DryRunAll)
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, c.explain(err, fmt.Sprintf("cannot write the config values of version %q", v.Name))
		}
	}
	return value.Missing(v.Spec.Config, all), nil
}

// Create creates the version with these config values: the values first, and if the
// version is then refused, they are deleted again. They stay if the version may have been
// created: after any other error.
func (c *Client) Create(ctx context.Context, v *v1alpha1.Version, values map[string][]byte) error {
	created, err := c.SetConfig(ctx, v.Name, values, nil)
	if err != nil {
		return err
	}
	if err := c.kube.Create(ctx, v, fieldOwner); err != nil {
		if created && response.Refused(err) {
			// Also when ctx is done: nothing half done is left.
			_ = c.DeleteConfig(context.WithoutCancel(ctx), v.Name)
		}
		return c.explainCreate(ctx, v.Name, err)
	}
	return nil
}

// explainCreate explains why a version was not created; of one that exists it finds out
// the phase and whether it is started.
func (c *Client) explainCreate(ctx context.Context, name string, err error) error {
	if !apierrors.IsAlreadyExists(err) {
		return c.explain(err, fmt.Sprintf("cannot create version %q", name))
	}
	refused := c.refuse("create", name, RuleExists)
	if v, err := c.Get(ctx, name); err == nil {
		refused.Phase = Phase(v)
		if v.WantedState() == v1alpha1.StateStarted {
			refused.Rule = RuleExistsStarted
		}
	}
	return refused
}
