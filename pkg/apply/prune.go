package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Prune deletes what owner controls in its namespace and is not in keep, of the
// kinds of the given empty lists. A kind that the cluster does not have has no
// objects. What the cache does not hold is not found.
func (a *Applier) Prune(ctx context.Context, owner client.Object, keep []client.Object, kinds ...client.ObjectList) (Result, error) {
	return a.PruneBut(ctx, owner, keep, func(client.Object) bool { return false }, kinds...)
}

// PruneBut is [Applier.Prune] that also leaves what spare is true for.
func (a *Applier) PruneBut(ctx context.Context, owner client.Object, keep []client.Object, spare func(client.Object) bool, kinds ...client.ObjectList) (Result, error) {
	kept := map[object]bool{}
	for _, o := range keep {
		gvk, err := a.Client.GroupVersionKindFor(o)
		if err != nil {
			return Result{}, fmt.Errorf("cannot prune: %w", err)
		}
		kept[object{gvk, client.ObjectKeyFromObject(o)}] = true
	}
	var result Result
	var errs []error
	for _, list := range kinds {
		doomed, item, err := a.doomed(ctx, owner, kept, list)
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot prune %T: %w", list, err))
			continue
		}
		for _, o := range slices.DeleteFunc(doomed, spare) {
			if err := a.remove(ctx, o); err != nil {
				errs = append(errs, fmt.Errorf("cannot delete %s %q: %w", item.Kind, o.GetName(), err))
				continue
			}
			a.settled.forget(object{item, client.ObjectKeyFromObject(o)})
			result.Changed = append(result.Changed, Change{Kind: item.Kind, Name: o.GetName(), Action: Deleted})
			log.FromContext(ctx).Info("object deleted", "kind", item.Kind, "name", o.GetName())
		}
	}
	return result, errors.Join(errs...)
}

// doomed lists what is the owner's and not kept, in the order of the cache's list.
func (a *Applier) doomed(ctx context.Context, owner client.Object, kept map[object]bool, list client.ObjectList) (doomed []client.Object, item schema.GroupVersionKind, err error) {
	gvk, err := a.Client.GroupVersionKindFor(list)
	if err != nil {
		return nil, item, err
	}
	item = schema.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind[:len(gvk.Kind)-len("List")]}
	// Only metadata is read, and nothing written: what the cache holds need not be copied.
	own := client.MatchingFields{OwnerIndex: string(owner.GetUID())}
	err = a.Client.List(ctx, list, client.InNamespace(owner.GetNamespace()), own, client.UnsafeDisableDeepCopy)
	if meta.IsNoMatchError(err) {
		return nil, item, nil
	}
	if err != nil {
		return nil, item, err
	}
	err = meta.EachListItem(list, func(o runtime.Object) error {
		live := o.(client.Object)
		if live.GetDeletionTimestamp() == nil && !kept[object{item, client.ObjectKeyFromObject(live)}] {
			doomed = append(doomed, live.DeepCopyObject().(client.Object))
		}
		return nil
	})
	return doomed, item, err
}

// remove deletes this very object; one that is gone already is fine.
func (a *Applier) remove(ctx context.Context, o client.Object) error {
	uid := o.GetUID()
	err := a.Client.Delete(ctx, o, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	return client.IgnoreNotFound(err)
}
