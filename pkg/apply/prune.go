package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Prune deletes the stale objects of owner: [Applier.Stale] and [Applier.Delete].
func (a *Applier) Prune(ctx context.Context, owner client.Object, keep []client.Object, kinds ...client.ObjectList) (Result, error) {
	stale, err := a.Stale(ctx, owner, keep, kinds...)
	result, failed := a.Delete(ctx, stale...)
	return result, errors.Join(err, failed)
}

// Stale returns the objects that owner controls in its namespace and that are not in
// keep, of the kinds of the given empty lists. A kind that the cluster does not have has
// no objects; what the cache does not hold is not found. With an error, those of the
// other kinds are returned.
func (a *Applier) Stale(
	ctx context.Context, owner client.Object, keep []client.Object, kinds ...client.ObjectList,
) ([]client.Object, error) {
	kept := map[object]bool{}
	for _, o := range keep {
		gvk, err := a.Client.GroupVersionKindFor(o)
		if err != nil {
			return nil, fmt.Errorf("cannot prune: %w", err)
		}
		kept[object{gvk, client.ObjectKeyFromObject(o)}] = true
	}
	var stale []client.Object
	var errs []error
	for _, list := range kinds {
		found, err := a.stale(ctx, owner, kept, list)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot prune %T: %w", list, err))
			continue
		}
		stale = append(stale, found...)
	}
	return stale, errors.Join(errs...)
}

// Delete deletes objects that [Applier.Stale] has returned. All are tried; the errors are
// joined, and each names its object. An object of the same name that has replaced one of
// them stays, and one that is gone already is no error.
func (a *Applier) Delete(ctx context.Context, objects ...client.Object) (result Result, err error) {
	var errs []error
	for _, o := range objects {
		gvk, err := a.Client.GroupVersionKindFor(o)
		if err == nil {
			uid := o.GetUID()
			err = a.Client.Delete(ctx, o, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		}
		if client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("cannot delete %s %q: %w", gvk.Kind, o.GetName(), err))
			continue
		}
		a.settled.forget(object{gvk, client.ObjectKeyFromObject(o)})
		result.Changed = append(result.Changed, Change{Kind: gvk.Kind, Name: o.GetName(), Action: Deleted})
		log.FromContext(ctx).Info("object deleted", "kind", gvk.Kind, "name", o.GetName())
	}
	return result, errors.Join(errs...)
}

// stale lists what is the owner's and not kept, in the order of the cache's list.
func (a *Applier) stale(
	ctx context.Context, owner client.Object, kept map[object]bool, list client.ObjectList,
) (stale []client.Object, err error) {
	gvk, err := a.Client.GroupVersionKindFor(list)
	if err != nil {
		return nil, err
	}
	gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	// Only metadata is read, and nothing written: what the cache holds need not be copied.
	own := client.MatchingFields{OwnerIndex: string(owner.GetUID())}
	err = a.Client.List(ctx, list, client.InNamespace(owner.GetNamespace()), own, client.UnsafeDisableDeepCopy)
	if meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = meta.EachListItem(list, func(o runtime.Object) error {
		live := o.(client.Object)
		if live.GetDeletionTimestamp() == nil && !kept[object{gvk, client.ObjectKeyFromObject(live)}] {
			stale = append(stale, live.DeepCopyObject().(client.Object))
		}
		return nil
	})
	return stale, err
}
