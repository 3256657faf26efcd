package controller

import (
	"context"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// sweepPause is how long what was kept for objects that are gone may stay.
const sweepPause = 10 * time.Minute

// present are the objects that there are.
type present struct {
	uids       map[types.UID]bool
	namespaces map[string]bool
}

// sweeper tells keep, now and then, which objects of the list's kind there are: all
// that is kept for others is to be forgotten. Not all that goes is heard of.
func sweeper(c client.Reader, list client.ObjectList, keep func(present)) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		tick := time.NewTicker(sweepPause)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			there, err := presentOf(ctx, c, list.DeepCopyObject().(client.ObjectList))
			if err != nil {
				log.FromContext(ctx).Error(err, "cannot list what there is")
				continue
			}
			keep(there)
		}
	})
}

func presentOf(ctx context.Context, c client.Reader, list client.ObjectList) (present, error) {
	there := present{uids: map[types.UID]bool{}, namespaces: map[string]bool{}}
	if err := c.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return present{}, err
	}
	return there, meta.EachListItem(list, func(o runtime.Object) error {
		object := o.(client.Object)
		there.uids[object.GetUID()], there.namespaces[object.GetNamespace()] = true, true
		return nil
	})
}

// sweep forgets what was kept for other versions than there are.
func (r *versionReconciler) sweep(there present) {
	r.secrets.keep(there.namespaces)
	r.checks.keep(there.uids)
	r.configs.keep(there.uids)
	r.keys.keep(there.uids)
	r.applier.Keep(there.uids)
}

// sweep forgets what was kept for other runtimes than there are.
func (r *runtimeReconciler) sweep(there present) {
	r.applier.Keep(there.uids)
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.switches, func(uid types.UID, _ change) bool { return !there.uids[uid] })
}
