package version

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// planStore decides with which credentials the version uses the store. A version that
// another kn-krt has started without any keeps the store that it has, which is none if
// the settings do not name one, until it is restarted or store-url changes: an upgrade
// changes nothing that runs. The error is that the store's key is not known to a version
// that needs it.
func (r *reconciler) planStore(v *v1alpha1.Version, p *plan) error {
	before := v.Status.StartedWith
	const setting = "store-url"
	former := isLive(v.Status.Phase) && before != nil && before.StoreSecret == "" && before.Restart == p.with.Restart &&
		before.Settings[setting] == p.with.Settings[setting]
	switch {
	case p.settings.Store() == "":
		p.with.StoreSecret = ""
		return nil
	case former && p.settings.StoreURL == "":
		p.settings.StoreURL = render.NoStore
		return nil
	case former:
		return nil
	}
	key, err := r.storeKey.Get()
	switch {
	case err == nil:
		p.with.StoreSecret = render.StoreSecretName(v.Name, storeSecretID(key, p.settings.StoreCA, divided(p.with)...))
		return nil
	case sameSecret(before, p.with):
		p.with.StoreSecret = before.StoreSecret
		return nil
	}
	return fmt.Errorf("the version has no credentials for the store: %w", err)
}

// sameSecret reports whether a version that was started with before has a Secret for the store whose files are those of with.
func sameSecret(before *v1alpha1.StartedWith, with v1alpha1.StartedWith) bool {
	return before != nil && before.StoreSecret != "" && before.Divides() == with.Divides()
}

// divided are the roles of which the Secret has a credential besides those that it has always had.
func divided(with v1alpha1.StartedWith) []string {
	if with.Divides() {
		return []string{string(credential.Entrypoint)}
	}
	return nil
}

// storeSecretID identifies what a Secret with credentials has: it is never changed, and
// pods that mount another one replace those before. more is what else it has.
func storeSecretID(key []byte, ca string, more ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{credential.KeyID(key), ca}, more...), " ")))
	return hex.EncodeToString(sum[:8])
}

// createStoreSecret creates the Secret with the version's credentials for the store if it
// does not exist.
func (r *reconciler) createStoreSecret(ctx context.Context, want desired) error {
	return r.createSecret(ctx, want.version, want.plan.with.StoreSecret, func(key []byte) map[string][]byte {
		return storeFiles(want, key)
	})
}

// createSecret creates a Secret with credentials if it does not exist: data returns them, sealed
// with the key.
func (r *reconciler) createSecret(ctx context.Context, v *v1alpha1.Version, name string, data func(key []byte) map[string][]byte) error {
	key, err := r.storeKey.Get()
	if name == "" || err != nil {
		return nil //nolint:nilerr // it has been created, with the key that was known then
	}
	secret := &corev1.Secret{ObjectMeta: secretMeta(v, name), Immutable: new(true), Data: data(key)}
	known, err := r.secrets.Get(ctx, client.ObjectKeyFromObject(v), name)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read Secret %q: %w", name, err)
	case known != nil:
		secret = known
	default:
		err = r.client.Create(ctx, secret, client.FieldOwner(apply.Manager))
		if apierrors.IsAlreadyExists(err) { // the watch has not reported it yet
			err = r.live.Get(ctx, client.ObjectKeyFromObject(secret), secret)
		}
		if err != nil {
			return fmt.Errorf("cannot create Secret %q: %w", name, err)
		}
	}
	return owned(v, secret)
}

// pruneCredentials deletes the credentials for store and queue that the version had before, once no
// pod that exists, and none that may start, mounts them: nodes and entrypoint are ready as they
// are specified now, so that Knative starts no pods of Revisions of before.
func (r *reconciler) pruneCredentials(ctx context.Context, want desired, have current) error {
	v := want.version
	secrets, err := r.secrets.Owned(ctx, v, render.StoreSecretName(v.Name, ""))
	if err != nil {
		return nil //nolint:nilerr // without the right to read Secrets the version says so; they stay
	}
	queues, err := r.secrets.Owned(ctx, v, render.QueueSecretName(v.Name, ""))
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	secrets = append(secrets, queues...)
	former := slices.DeleteFunc(secrets, func(s *corev1.Secret) bool {
		return s.Name == want.plan.with.StoreSecret || s.Name == want.plan.with.QueueSecret || s.DeletionTimestamp != nil
	})
	if len(former) == 0 || !have.settled() {
		return nil
	}
	specs, err := r.podSpecs(ctx, want, have)
	if err != nil {
		return err
	}
	for _, secret := range former {
		if slices.ContainsFunc(specs, func(pod corev1.PodSpec) bool { return mounts(pod, secret.Name) }) {
			continue
		}
		err := r.client.Delete(ctx, secret, client.Preconditions{UID: &secret.UID})
		if client.IgnoreNotFound(err) != nil && !apierrors.IsForbidden(err) { // a role of before has no such right: it stays
			return fmt.Errorf("cannot delete Secret %q: %w", secret.Name, err)
		}
	}
	return nil
}

// settled reports whether nodes and entrypoint are ready as they are specified now.
func (c current) settled() bool {
	for _, n := range c.nodes {
		if n.Service != nil && n.Service.Status.LatestReadyRevisionName != n.Service.Status.LatestCreatedRevisionName {
			return false
		}
	}
	return c.ready()
}

// podSpecs are those of the pods that may start, and of the version's pods that have not ended: the cache
// need not have the newest, so the apiserver is asked.
func (r *reconciler) podSpecs(ctx context.Context, want desired, have current) ([]corev1.PodSpec, error) {
	specs := []corev1.PodSpec{have.deployment.Spec.Template.Spec}
	for _, n := range have.nodes {
		specs = append(specs, n.Service.Spec.Template.Spec.PodSpec)
	}
	var pods corev1.PodList
	own := client.MatchingLabels{render.LabelVersion: want.version.Name}
	if err := r.live.List(ctx, &pods, client.InNamespace(want.version.Namespace), own); err != nil {
		return nil, fmt.Errorf("cannot list the pods of the version: %w", err)
	}
	for i := range pods.Items {
		if !observe.HasEnded(&pods.Items[i]) {
			specs = append(specs, pods.Items[i].Spec)
		}
	}
	return specs, nil
}

// mounts reports whether a pod mounts a Secret.
func mounts(pod corev1.PodSpec, secret string) bool {
	return slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == secret })
}

// owned returns an error if a Secret that a version needs is not the version's.
func owned(v *v1alpha1.Version, secret *corev1.Secret) error {
	if metav1.IsControlledBy(secret, v) {
		return nil
	}
	taken := &apply.NotOwnedError{Kind: "Secret", Name: secret.Name}
	if owner := metav1.GetControllerOfNoCopy(secret); owner != nil {
		taken.OwnerKind, taken.OwnerName, taken.Former = owner.Kind, owner.Name, owner.Kind == "Version" && owner.Name == v.Name
	}
	return taken
}

// storeFiles are the version's credentials for the store, and their users'.
func storeFiles(want desired, key []byte) map[string][]byte {
	of := func(role credential.Role) []byte {
		return []byte(credential.New(key, credential.Holder{Role: role, Namespace: want.version.Namespace, Version: want.version.Name}))
	}
	files := map[string][]byte{render.StoreSecretNode: of(credential.Shared), render.StoreSecretOwner: of(credential.Owner)}
	if want.plan.with.Divides() {
		files[render.StoreSecretNode], files[render.StoreSecretEntrypoint] = of(credential.Node), of(credential.Entrypoint)
	}
	if ca := want.plan.settings.StoreCA; ca != "" {
		files[render.StoreSecretCA] = []byte(ca)
	}
	return files
}

// secretMeta is the metadata of a Secret of the version.
func secretMeta(v *v1alpha1.Version, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: v.Namespace,
		Labels: map[string]string{
			render.LabelName: "entrypoint", render.LabelPartOf: v.Name, render.LabelManagedBy: render.ManagedBy, render.LabelVersion: v.Name,
		},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(v, v1alpha1.GroupVersion.WithKind("Version"))},
	}
}

// markStore marks whether the store of the version can be used; as long as that is not known, the
// version keeps what it has: a controller that starts changes nothing.
func (r *reconciler) markStore(want desired) {
	url := want.plan.settings.Store()
	switch why, known := r.store.Why(url); {
	case url == "":
		want.version.MarkStoreNotUnavailable()
	case !known:
	case why != "":
		observe.MarkStoreUnavailable(want.version, url, why)
	default:
		want.version.MarkStoreNotUnavailable()
	}
}
