package watch

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// sweepInterval is how long something may stay cached for an object that no longer exists.
const sweepInterval = 10 * time.Minute

// Existing are the objects of a kind that exist.
type Existing struct {
	UIDs       map[types.UID]bool
	Namespaces map[string]bool
}

// Sweeper calls sweep at intervals with the objects of the list's kind that exist, so that
// all that is cached for others is forgotten: not every deletion is noticed.
func Sweeper(c client.Reader, list client.ObjectList, sweep func(Existing)) manager.Runnable {
	return manager.RunnableFunc(func(ctx context.Context) error {
		tick := time.NewTicker(sweepInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			existing, err := existingOf(ctx, c, list.DeepCopyObject().(client.ObjectList))
			if err != nil {
				log.FromContext(ctx).Error(err, "cannot list the objects that exist")
				continue
			}
			sweep(existing)
		}
	})
}

func existingOf(ctx context.Context, c client.Reader, list client.ObjectList) (Existing, error) {
	existing := Existing{UIDs: map[types.UID]bool{}, Namespaces: map[string]bool{}}
	if err := c.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return Existing{}, err
	}
	return existing, meta.EachListItem(list, func(o runtime.Object) error {
		object := o.(client.Object)
		existing.UIDs[object.GetUID()], existing.Namespaces[object.GetNamespace()] = true, true
		return nil
	})
}
