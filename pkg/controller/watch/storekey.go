package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/credential"
	"krt.dev/kn-krt/pkg/render"
)

// StoreKey is the key by which credentials for the store are sealed: the Secret
// krt-store-key in the system namespace. It is created if there is none, and never
// changed here: to change the key is up to administrators.
type StoreKey struct {
	client    client.WithWatch
	reader    client.Reader // of the cache
	namespace string

	mu  sync.Mutex
	key []byte
	err error // why there is no key
}

// errKeyUnread: nothing is known about the key.
var errKeyUnread = errors.New("the store's key has not been read yet")

// NewStoreKey returns the key in the system namespace, which is watched through c.
func NewStoreKey(c client.WithWatch, reader client.Reader, namespace string) *StoreKey {
	return &StoreKey{client: c, reader: reader, namespace: namespace, err: errKeyUnread}
}

// Get returns the key, or why there is none. All versions are requeued when that changes.
func (k *StoreKey) Get() ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.key, k.err
}

// keyPatience is how long a controller's start waits for the key. Without the right to read
// it, all but the store works.
const keyPatience = 5 * time.Second

// Source watches the key; a change requeues all objects of the list's kind.
func (k *StoreKey) Source(list client.ObjectList) source.Source {
	return source.Func(func(ctx context.Context, q Queue) error {
		changed := func() { EnqueueAll(ctx, k.reader, list, q) }
		set := func(o any) {
			if secret, ok := o.(*corev1.Secret); ok && k.set(secret) {
				changed()
			}
		}
		informer := toolscache.NewSharedIndexInformer(
			listWatch(k.client, k.namespace, fields.OneTermEqualSelector("metadata.name", render.StoreKeyName)),
			&corev1.Secret{}, 0, toolscache.Indexers{})
		_, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    set,
			UpdateFunc: func(_, o any) { set(o) },
			DeleteFunc: func(any) { k.create(ctx) },
		})
		err = errors.Join(err, informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, r *toolscache.Reflector, err error) {
			if k.fail(fmt.Errorf("cannot read Secret %q in namespace %q: %w", render.StoreKeyName, k.namespace, err)) {
				changed()
			}
			toolscache.DefaultWatchErrorHandler(ctx, r, err)
		}))
		if err != nil {
			return fmt.Errorf("cannot watch the store's key: %w", err)
		}
		go informer.RunWithContext(ctx)
		go func() {
			if toolscache.WaitForCacheSync(ctx.Done(), informer.HasSynced) && len(informer.GetStore().ListKeys()) == 0 {
				k.create(ctx)
			}
		}()
		_ = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, keyPatience, true, func(context.Context) (bool, error) {
			_, err := k.Get()
			return !errors.Is(err, errKeyUnread), nil
		}) // what it is then is up to the versions that need it
		return nil
	})
}

// set notes what the Secret has, and reports whether that is a change.
func (k *StoreKey) set(secret *corev1.Secret) bool {
	key := secret.Data[render.StoreKeyCurrent]
	if len(key) < credential.KeySize {
		return k.fail(fmt.Errorf("cannot use Secret %q in namespace %q: its key %q has %d bytes: it must have at least %d",
			secret.Name, secret.Namespace, render.StoreKeyCurrent, len(key), credential.KeySize))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := k.err != nil || !bytes.Equal(k.key, key)
	k.key, k.err = key, nil
	return changed
}

// fail notes why there is no key, unless one is known, and reports whether that is new.
func (k *StoreKey) fail(err error) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil || k.err.Error() == err.Error() {
		return false
	}
	k.err = err
	return true
}

// create creates the Secret, until it exists. The watch reports it.
func (k *StoreKey) create(ctx context.Context) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: render.StoreKeyName, Namespace: k.namespace,
			Labels: map[string]string{render.LabelPartOf: render.ManagedBy},
		},
		Data: map[string][]byte{render.StoreKeyCurrent: credential.NewKey()},
	}
	for {
		err := k.client.Create(ctx, secret.DeepCopy())
		if err == nil || apierrors.IsAlreadyExists(err) || ctx.Err() != nil {
			return
		}
		log.FromContext(ctx).Error(err, "cannot create the store's key; it is retried")
		select {
		case <-ctx.Done():
			return
		case <-time.After(30 * time.Second):
		}
	}
}
