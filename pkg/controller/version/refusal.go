package version

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
)

// namespaceTerminating reports whether nothing can be created because the namespace is
// being deleted, or has been.
func namespaceTerminating(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true
	}
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// refusal returns why an object cannot be written, and reports whether a person must act:
// a retry does not help.
func refusal(v *v1alpha1.Version, err error) (*observe.Cause, bool) {
	var taken *apply.NotOwnedError
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return nil, false
	case errors.As(err, &taken) && taken.Former: // its deletion is watched
		return &observe.Cause{Reason: v1alpha1.ReasonDeploying,
			Message: fmt.Sprintf("%s %q of a deleted version of this name still exists", taken.Kind, taken.Name)}, true
	case errors.As(err, &taken):
		return &observe.Cause{Reason: v1alpha1.ReasonNotOwned, Message: nameTaken(v, taken)}, true
	case meta.IsNoMatchError(err):
		return nil, false // Knative has just been uninstalled, which is about to be noticed
	case errors.As(err, &status) && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsForbidden(err)):
		return &observe.Cause{Reason: v1alpha1.ReasonRefused, Message: fmt.Sprintf("%s; it is retried every %s", err, interval)}, true
	default:
		return nil, false
	}
}

// nameTaken says which object has the name, and what to do.
func nameTaken(v *v1alpha1.Version, taken *apply.NotOwnedError) string {
	object := fmt.Sprintf("%s %q", taken.Kind, taken.Name)
	switch {
	case taken.OwnerKind == "Version":
		return fmt.Sprintf("%s belongs to Version %q, whose object names collide with this version's; "+
			"rename this version or delete the other one: kn krt delete %s -n %s",
			object, taken.OwnerName, taken.OwnerName, v.Namespace)
	case taken.OwnerKind != "":
		return fmt.Sprintf("%s exists and belongs to %s %q; rename or delete it, or use another name here",
			object, taken.OwnerKind, taken.OwnerName)
	default:
		return fmt.Sprintf("%s exists and does not belong to kn-krt; delete it or use another name here; "+
			"see: kubectl get all -n %s | grep %s",
			object, v.Namespace, taken.Name)
	}
}
