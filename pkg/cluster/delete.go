package cluster

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Deletable returns the named version unless it must not be deleted: because it is
// published or, without force, started.
func (c *Client) Deletable(ctx context.Context, name string, force bool) (*v1alpha1.Version, error) {
	v, err := c.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.requireUnpublished(ctx, name, "delete"); err != nil {
		return nil, err
	}
	if v.WantedState() == v1alpha1.StateStarted && !force {
		return nil, c.refuse("delete", name, RuleStarted)
	}
	return v, nil
}

// Delete asks for the named version to be deleted, with everything that was made for it.
// Ask [Client.Deletable] before: the controller keeps what is published until it is not.
// The Secret with the version's config values stays.
func (c *Client) Delete(ctx context.Context, name string) error {
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.namespace}}
	return c.explainVersion(ctx, "delete", name, c.kube.Delete(ctx, v))
}
