package version

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"sync"

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

// replyKeys caches the Secrets that were created and that the watch has not reported yet:
// until then every reconcile of a version must find the same key.
type replyKeys struct {
	mu   sync.Mutex
	made map[types.NamespacedName]*corev1.Secret
}

// keep forgets the keys of all versions but these.
func (k *replyKeys) keep(uids map[types.UID]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.DeleteFunc(k.made, func(_ types.NamespacedName, secret *corev1.Secret) bool {
		owner := metav1.GetControllerOfNoCopy(secret)
		return owner == nil || !uids[owner.UID]
	})
}

// replyKey is the key of a version's reply tokens: its Secret, and whether that is still to
// be created.
type replyKey struct {
	secret *corev1.Secret
	isNew  bool
}

// id identifies the key without revealing it; empty if the Secret is not v's.
func (k replyKey) id(v *v1alpha1.Version) string {
	if !metav1.IsControlledBy(k.secret, v) {
		return ""
	}
	if id := k.secret.Labels[render.AnnotationReplyKey]; id != "" {
		return id
	}
	return string(k.secret.UID)
}

// replyKey returns the key of a version's reply tokens, a new one if there is none.
func (r *reconciler) replyKey(ctx context.Context, v *v1alpha1.Version) (replyKey, error) {
	name := render.ReplySecretName(v.Name)
	secret, err := r.secrets.Get(ctx, client.ObjectKeyFromObject(v), name)
	if err != nil {
		return replyKey{}, fmt.Errorf("cannot read Secret %q: %w", name, err)
	}
	r.keys.mu.Lock()
	defer r.keys.mu.Unlock()
	at := client.ObjectKeyFromObject(v)
	if secret != nil {
		delete(r.keys.made, at)
		return replyKey{secret: secret}, nil
	}
	if made := r.keys.made[at]; made != nil && metav1.IsControlledBy(made, v) {
		return replyKey{made, true}, nil
	}
	secret = replySecret(v)
	if r.keys.made == nil {
		r.keys.made = map[types.NamespacedName]*corev1.Secret{}
	}
	r.keys.made[at] = secret
	return replyKey{secret, true}, nil
}

// createKey creates the key's Secret if it does not exist. It is never written again:
// pods that read it at different times must have read the same.
func (r *reconciler) createKey(ctx context.Context, v *v1alpha1.Version, key replyKey) error {
	secret := key.secret
	if key.isNew {
		secret = secret.DeepCopy() // what is cached may be created again
		err := r.client.Create(ctx, secret, client.FieldOwner(apply.Manager))
		if apierrors.IsAlreadyExists(err) { // the watch has not reported it yet
			err = r.live.Get(ctx, client.ObjectKeyFromObject(secret), secret)
		}
		if err != nil {
			return fmt.Errorf("cannot create Secret %q: %w", secret.Name, err)
		}
	}
	return owned(v, secret)
}

func replySecret(v *v1alpha1.Version) *corev1.Secret {
	key := make([]byte, replyKeySize)
	_, _ = rand.Read(key) // it never fails, and ends the program where the system has no randomness
	sum := sha256.Sum256(key)
	meta := secretMeta(v, render.ReplySecretName(v.Name))
	meta.Labels[render.AnnotationReplyKey] = hex.EncodeToString(sum[:8])
	return &corev1.Secret{ObjectMeta: meta, Immutable: new(true), Data: map[string][]byte{render.ReplySecretKey: key}}
}
