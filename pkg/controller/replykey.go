package controller

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/render"
)

// replyKeySize is the length of the key that seals reply tokens, in bytes (AES-256).
const replyKeySize = 32

// ensureReplyKey makes the Secret with the key of a version's reply tokens, if it
// is not there, and returns its UID. It is never written again: pods that read it at
// different times must have read the same.
func (r *versionReconciler) ensureReplyKey(ctx context.Context, v *v1alpha1.Version) (types.UID, error) {
	name := render.ReplySecretName(v.Name)
	secret, err := r.secrets.get(ctx, client.ObjectKeyFromObject(v), name)
	if err != nil {
		return "", fmt.Errorf("cannot read Secret %q: %w", name, err)
	}
	if secret == nil {
		secret = replySecret(v)
		err := r.client.Create(ctx, secret, client.FieldOwner(apply.Manager))
		if apierrors.IsAlreadyExists(err) { // the watch has not told yet
			err = r.live.Get(ctx, client.ObjectKeyFromObject(secret), secret)
		}
		if err != nil {
			return "", fmt.Errorf("cannot make Secret %q: %w", name, err)
		}
	}
	if metav1.IsControlledBy(secret, v) {
		return secret.UID, nil
	}
	taken := &apply.NotOwnedError{Kind: "Secret", Name: name}
	if owner := metav1.GetControllerOfNoCopy(secret); owner != nil {
		taken.OwnerKind, taken.OwnerName, taken.Former = owner.Kind, owner.Name, owner.Kind == "Version" && owner.Name == v.Name
	}
	return "", taken
}

func replySecret(v *v1alpha1.Version) *corev1.Secret {
	key := make([]byte, replyKeySize)
	_, _ = rand.Read(key) // it never fails, and ends the program where the system has no randomness
	name := render.ReplySecretName(v.Name)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: v.Namespace,
			Labels: map[string]string{
				render.LabelName: "entrypoint", render.LabelPartOf: v.Name, render.LabelManagedBy: render.ManagedBy, render.LabelVersion: v.Name,
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(v, v1alpha1.GroupVersion.WithKind("Version"))},
		},
		Immutable: new(true),
		Data:      map[string][]byte{render.ReplySecretKey: key},
	}
}
