package cluster

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// silence is how long an API server that has responded before may be away: one that is
	// updated, or whose leader changes, is back by then.
	silence = time.Minute
	// retryPause keeps an API server that ends watches at once from being asked without a
	// pause.
	retryPause = 200 * time.Millisecond
	// longestPause is how many times as long as the first pause between tries another one
	// is at most: 5 seconds.
	longestPause = 25
	// steady is how long something must be read to count as what can be read: the next
	// pause is a short one again.
	steady = 10 * time.Second
)

// backoff are the pauses between tries, each longer than the one before.
type backoff struct{ first, next time.Duration }

// reset makes the next pause the first one.
func (b *backoff) reset() { b.next = b.first }

func (b *backoff) pause() time.Duration {
	pause := b.next
	b.next = min(2*pause, longestPause*b.first)
	return pause
}

// follower follows the objects of one kind: it lists them, then watches them from there
// on, and lists them again when the watch has ended, as watches do.
type follower[T client.Object] struct {
	kube client.WithWatch
	// list is an empty list of the kind, options select what to follow.
	list    client.ObjectList
	options []client.ListOption
	// listed is called with all objects each time they were listed, changed with each
	// that changes or, with gone, is deleted after that.
	listed  func(all []T)
	changed func(object T, gone bool)
}

// run follows until ctx is done, or the API server refuses or has been away for too long.
// The error is the API server's, not explained.
func (f *follower[T]) run(ctx context.Context) error {
	pauses := backoff{retryPause, retryPause}
	var heard time.Time // when the API server was last there; zero before it was
	for {
		began := time.Now()
		listed, watched, err := f.once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if watched || listed && heard.IsZero() {
			heard = time.Now()
		}
		if err != nil && givesUp(err, heard) {
			return err
		}
		if watched && time.Since(began) > steady {
			pauses.reset()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauses.pause()):
		}
	}
}

// givesUp reports whether following ends with err, when the API server was last heard
// at the given time; never if that is zero.
func givesUp(err error, heard time.Time) bool {
	return !isTransient(err) || heard.IsZero() || time.Since(heard) > silence
}

// once lists the objects and watches them until the watch ends. It reports how far the
// API server let it get.
func (f *follower[T]) once(ctx context.Context) (listed, watched bool, err error) {
	list := f.list.DeepCopyObject().(client.ObjectList)
	if err := f.kube.List(ctx, list, f.options...); err != nil {
		return false, false, err
	}
	var all []T
	err = meta.EachListItem(list, func(object runtime.Object) error {
		if o, ok := object.(T); ok {
			all = append(all, o)
		}
		return nil
	})
	if err != nil {
		return true, false, err
	}
	f.listed(all)
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	changes, err := f.kube.Watch(ctx, f.list, append(f.options[:len(f.options):len(f.options)], from)...)
	if err != nil {
		return true, false, err
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, true, nil
		case change, open := <-changes.ResultChan():
			if !open || change.Type == watch.Error {
				return true, true, nil
			}
			if object, ok := change.Object.(T); ok && change.Type != watch.Bookmark {
				f.changed(object, change.Type == watch.Deleted)
			}
		}
	}
}
