package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// PatchStatus writes how the status of object differs from before's, and reads the
// response into object. It reports whether it did: not if the object is gone, or has
// changed since before, because then a newer one is about to be reconciled.
func PatchStatus(ctx context.Context, c client.Client, before, object client.Object) (written bool, err error) {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err = c.Status().Patch(ctx, object, patch, client.FieldOwner(Manager))
	switch {
	case err == nil:
		return true, nil
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		return false, nil
	default:
		return false, fmt.Errorf("cannot write the status: %w", err)
	}
}
