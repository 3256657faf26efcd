// Package follow follows the objects of a kind in a cluster: it lists them, watches them from
// there on, and lists them again when the watch has ended.
package follow

import (
	"cmp"
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cluster/response"
)

const (
	// silence is the default of Silence.
	silence = time.Minute
	// RetryPause keeps an API server that ends watches at once from being asked without a
	// pause.
	RetryPause = 200 * time.Millisecond
	// longestPause is how many times as long as the first pause between tries another one
	// is at most: 5 seconds.
	longestPause = 25
	// Steady is how long something must be read to count as what can be read: the next
	// pause is a short one again.
	Steady = 10 * time.Second
)

// Backoff are the pauses between tries, each longer than the one before.
type Backoff struct{ first, next time.Duration }

// NewBackoff returns pauses of which the first is as given.
func NewBackoff(first time.Duration) Backoff { return Backoff{first, first} }

// Reset makes the next pause the first one.
func (b *Backoff) Reset() { b.next = b.first }

// Next returns how long to pause before the next try: at most 25 times as long as the first
// pause.
func (b *Backoff) Next() time.Duration {
	pause := b.next
	b.next = min(2*pause, longestPause*b.first)
	return pause
}

// Follower follows the objects of one kind: it lists them, then watches them from there
// on, and lists them again when the watch has ended, as watches do.
type Follower[T client.Object] struct {
	Kube client.WithWatch
	// List is an empty list of the kind, Options select what to follow.
	List    client.ObjectList
	Options []client.ListOption
	// Listed is called with all objects each time they were listed, Changed with each
	// that changes or, with gone, is deleted after that.
	Listed  func(all []T)
	Changed func(object T, gone bool)
	// Silence is how long an API server that has responded before may be away. Default: a
	// minute; one that is updated, or whose leader changes, is back by then.
	Silence time.Duration
}

// Run follows until ctx is done, or the API server refuses or has been away for too long.
// The error is the API server's, not explained.
func (f *Follower[T]) Run(ctx context.Context) error {
	pauses := NewBackoff(RetryPause)
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
		if err != nil && f.givesUp(err, heard) {
			return err
		}
		if watched && time.Since(began) > Steady {
			pauses.Reset()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pauses.Next()):
		}
	}
}

// givesUp reports whether following ends with err, when the API server was last heard
// at the given time; never if that is zero.
func (f *Follower[T]) givesUp(err error, heard time.Time) bool {
	return !response.Transient(err) || heard.IsZero() || time.Since(heard) > cmp.Or(f.Silence, silence)
}

// once lists the objects and watches them until the watch ends. It reports how far the
// API server let it get.
func (f *Follower[T]) once(ctx context.Context) (listed, watched bool, err error) {
	list := f.List.DeepCopyObject().(client.ObjectList)
	if err := f.Kube.List(ctx, list, f.Options...); err != nil {
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
	f.Listed(all)
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	changes, err := f.Kube.Watch(ctx, f.List, append(f.Options[:len(f.Options):len(f.Options)], from)...)
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
				f.Changed(object, change.Type == watch.Deleted)
			}
		}
	}
}
