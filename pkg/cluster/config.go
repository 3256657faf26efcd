package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cluster/response"
	"krt.dev/kn-krt/pkg/render"
)

// ConfigValues returns the config values of a version, by name of the variable or file;
// none if it declares none or its Secret does not exist.
func (c *Client) ConfigValues(ctx context.Context, v *v1alpha1.Version) (map[string][]byte, error) {
	if len(v.Spec.Config.Variables)+len(v.Spec.Config.Files) == 0 {
		return nil, nil // nothing declared, nothing to read
	}
	secret := &corev1.Secret{}
	err := c.kube.Get(ctx, c.key(render.ConfigName(v.Name)), secret)
	if response.UnknownName(err) {
		return nil, nil // no Secret is a result: nothing has a value
	}
	if err != nil {
		return nil, c.explain(err, fmt.Sprintf("cannot read the config values of version %q", v.Name))
	}
	return secret.Data, nil
}

// SetConfig sets config values of the named version in its Secret, and removes others. It
// reports whether it created the Secret. The Secret is the user's: nothing owns it, and it
// stays when the version is deleted. If somebody else changes it at the same time, the
// error has ReasonConflict.
func (c *Client) SetConfig(ctx context.Context, version string, set map[string][]byte, unset []string) (created bool, err error) {
	if len(set)+len(unset) == 0 {
		return false, nil // nothing is read either: that takes a right
	}
	doing := fmt.Sprintf("cannot write the config values of version %q", version)
	secret := &corev1.Secret{}
	err = c.kube.Get(ctx, c.key(render.ConfigName(version)), secret)
	switch {
	case response.UnknownName(err) && len(set) == 0:
		return false, nil
	case response.UnknownName(err):
		secret = c.configSecret(version)
		secret.Data = set
		err = c.kube.Create(ctx, secret, fieldOwner)
		if apierrors.IsAlreadyExists(err) {
			return false, c.conflict(doing, "them")
		}
		return err == nil, c.explain(err, doing)
	case err != nil:
		return false, c.explain(err, doing)
	}
	changed := secret.DeepCopy()
	if changed.Data == nil {
		changed.Data = map[string][]byte{}
	}
	for name, value := range set {
		changed.Data[name] = value
	}
	for _, name := range unset {
		delete(changed.Data, name)
	}
	err = c.kube.Patch(ctx, changed, client.MergeFromWithOptions(secret, client.MergeFromWithOptimisticLock{}), fieldOwner)
	if apierrors.IsConflict(err) {
		return false, c.conflict(doing, "them")
	}
	return false, c.explain(err, doing)
}

// DeleteConfig deletes the Secret with the config values of the named version, if there
// is one.
func (c *Client) DeleteConfig(ctx context.Context, version string) error {
	if err := c.kube.Delete(ctx, c.configSecret(version)); err != nil && !response.UnknownName(err) {
		return c.explain(err, fmt.Sprintf("cannot delete the config values of version %q", version))
	}
	return nil
}

// configSecret is the Secret with the config values of the named version, without any.
func (c *Client) configSecret(version string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: render.ConfigName(version), Namespace: c.namespace},
		Type:       corev1.SecretTypeOpaque,
	}
}
