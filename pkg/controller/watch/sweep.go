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

// sweepPause is how long what was kept for objects that are gone may stay.
const sweepPause = 10 * time.Minute

// Present are the objects that there are.
type Present struct {
	UIDs       map[types.UID]bool
	Namespaces map[string]bool
}

// Sweeper tells keep, now and then, which objects of the list's kind there are: all
// that is kept for others is to be forgotten. Not all that goes is heard of.
func Sweeper(c client.Reader, list client.ObjectList, keep func(Present)) manager.Runnable {
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

func presentOf(ctx context.Context, c client.Reader, list client.ObjectList) (Present, error) {
	there := Present{UIDs: map[types.UID]bool{}, Namespaces: map[string]bool{}}
	if err := c.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		return Present{}, err
	}
	return there, meta.EachListItem(list, func(o runtime.Object) error {
		object := o.(client.Object)
		there.UIDs[object.GetUID()], there.Namespaces[object.GetNamespace()] = true, true
		return nil
	})
}
