package runtime

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// notOwned is why an object of the runtime cannot be written, and what to do.
func notOwned(rt *v1alpha1.Runtime, taken *apply.NotOwnedError) string {
	return fmt.Sprintf("%s; delete it, and kn-krt creates its own: kubectl delete %s %s -n %s",
		taken, strings.ToLower(taken.Kind), taken.Name, rt.Namespace)
}

// take remembers that the file of a canary is another's, and returns that as why the canary gets no requests.
func (r *reconciler) take(rt *v1alpha1.Runtime, taken *apply.NotOwnedError) *observe.Cause {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.foreign[rt.UID] = taken
	return &observe.Cause{Reason: v1alpha1.ReasonNotOwned, Message: notOwned(rt, taken)}
}

// taken returns that the file of a canary is another's, if it was and still is: its plan must not begin a step whose
// requests never come. The cache has only objects of ours.
func (r *reconciler) taken(ctx context.Context, rt *v1alpha1.Runtime) (*observe.Cause, error) {
	r.mu.Lock()
	taken := r.foreign[rt.UID]
	r.mu.Unlock()
	if taken == nil {
		return nil, nil
	}
	if name := render.TrafficName(rt.Status.PublishedVersion); taken.Name == name {
		m := &metav1.PartialObjectMetadata{}
		m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
		err := r.applier.Live.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: name}, m)
		switch {
		case err == nil && !metav1.IsControlledBy(m, rt):
			return r.take(rt, taken), nil
		case err != nil && !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("cannot read ConfigMap %q: %w", name, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.foreign, rt.UID)
	return nil, nil
}
