package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/render"
)

// Secrets watches the Secrets of the namespaces that have versions, each by itself: the
// right to read Secrets can be granted for some namespaces only, and the lack of it in one
// affects no other.
type Secrets struct {
	client client.WithWatch

	mu         sync.Mutex
	ctx        context.Context // the controller's; nil before its start
	queue      Queue
	namespaces map[string]*secretWatch
}

type secretWatch struct {
	informer toolscache.SharedIndexInformer
	stop     context.CancelFunc

	mu      sync.Mutex
	err     error                         // of the newest list or watch that failed
	waiting map[types.NamespacedName]bool // versions whose Secrets were asked for in vain
}

// NewSecrets returns Secrets that are watched through c, none yet.
func NewSecrets(c client.WithWatch) *Secrets {
	return &Secrets{client: c, namespaces: map[string]*secretWatch{}}
}

// Source provides the watches with the controller's queue. A Secret requeues the version
// that it is named after.
func (s *Secrets) Source() source.Source {
	return source.Func(func(ctx context.Context, q Queue) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ctx, s.queue = ctx, q
		return nil
	})
}

// errNotWatched: the Secrets of a namespace are not known now.
var errNotWatched = errors.New("the Secrets of the namespace have not been listed yet")

// Get returns a Secret of a version from the watch of its namespace, nil if there is none
// of the name. The first call starts the watch, and waits until it has listed. Errors are
// apierrors.IsForbidden, and an apiserver that does not respond; the version is requeued
// when that is over.
func (s *Secrets) Get(ctx context.Context, version types.NamespacedName, name string) (*corev1.Secret, error) {
	w, err := s.listed(ctx, version)
	if err != nil {
		return nil, err
	}
	object, exists, err := w.informer.GetStore().GetByKey(version.Namespace + "/" + name)
	if err != nil || !exists {
		return nil, err
	}
	return object.(*corev1.Secret), nil
}

// Owned returns the Secrets that a version controls whose names have a prefix, as [Secrets.Get]
// knows them: without their data.
func (s *Secrets) Owned(ctx context.Context, version client.Object, prefix string) (found []*corev1.Secret, err error) {
	w, err := s.listed(ctx, client.ObjectKeyFromObject(version))
	if err != nil {
		return nil, err
	}
	for _, object := range w.informer.GetStore().List() {
		secret, ok := object.(*corev1.Secret)
		if ok && strings.HasPrefix(secret.Name, prefix) && metav1.IsControlledBy(secret, version) {
			found = append(found, secret)
		}
	}
	return found, nil
}

// listed returns the watch of a version's namespace, which has listed.
func (s *Secrets) listed(ctx context.Context, version types.NamespacedName) (*secretWatch, error) {
	w, err := s.watch(version.Namespace)
	if err != nil {
		return nil, err
	}
	if err := w.synced(ctx); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting[version] = true
		return nil, err
	}
	return w, nil
}

func (s *Secrets) watch(namespace string) (*secretWatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.namespaces[namespace]; w != nil {
		return w, nil
	}
	if s.ctx == nil {
		return nil, errNotWatched
	}
	informer := toolscache.NewSharedIndexInformer(s.listWatch(namespace), &corev1.Secret{}, 0, toolscache.Indexers{})
	w := &secretWatch{waiting: map[types.NamespacedName]bool{}, informer: informer}
	_, err := w.informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    s.enqueue,
		UpdateFunc: func(_, object any) { s.enqueue(object) },
		DeleteFunc: s.enqueue,
	})
	err = errors.Join(err, w.informer.SetTransform(stripSecret), w.informer.SetWatchErrorHandlerWithContext(w.failed))
	if err != nil {
		return nil, fmt.Errorf("cannot watch Secrets: %w", err)
	}
	ctx, stop := context.WithCancel(s.ctx)
	w.stop = stop
	s.namespaces[namespace] = w
	go w.informer.RunWithContext(ctx)
	go func() {
		if toolscache.WaitForCacheSync(ctx.Done(), w.informer.HasSynced) {
			s.wake(w)
		}
	}()
	return w, nil
}

// wake requeues the versions whose Secrets were asked for in vain.
func (s *Secrets) wake(w *secretWatch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for version := range w.waiting {
		s.queue.Add(reconcile.Request{NamespacedName: version})
	}
	clear(w.waiting)
}

// listWatch leaves out Helm's Secrets, which are large, many and never ours.
func (s *Secrets) listWatch(namespace string) toolscache.ListerWatcher {
	return listWatch(s.client, namespace, fields.OneTermNotEqualSelector("type", "helm.sh/release.v1"))
}

// listWatch lists and watches the Secrets of a namespace that are selected.
func listWatch(c client.WithWatch, namespace string, selected fields.Selector) toolscache.ListerWatcher {
	options := func(o metav1.ListOptions) *client.ListOptions {
		return &client.ListOptions{Namespace: namespace, FieldSelector: selected, Raw: &o}
	}
	return toolscache.ToListWatcherWithWatchListSemantics(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list := &corev1.SecretList{}
			return list, c.List(ctx, list, options(o))
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, &corev1.SecretList{}, options(o))
		},
	}, c)
}

// stripSecret drops the data of Secrets that are not used.
func stripSecret(object any) (any, error) {
	if secret, ok := object.(*corev1.Secret); ok {
		secret.ManagedFields, secret.Annotations = nil, nil
		if !strings.HasSuffix(secret.Name, render.ConfigName("")) {
			secret.Data = nil
		}
	}
	return object, nil
}

func (s *Secrets) enqueue(object any) {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	secret, ok := object.(*corev1.Secret)
	if !ok {
		return
	}
	// The names of Secrets are formed from the version's by a suffix.
	version, found := strings.CutSuffix(secret.Name, render.ConfigName(""))
	if owner := metav1.GetControllerOfNoCopy(secret); owner != nil && owner.Kind == "Version" {
		version, found = owner.Name, true
	}
	if found {
		s.queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: secret.Namespace, Name: version}})
	}
}

// Keep ends the watches of all namespaces but these.
func (s *Secrets) Keep(namespaces map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for namespace, w := range s.namespaces {
		if !namespaces[namespace] {
			w.stop()
			delete(s.namespaces, namespace)
		}
	}
}

// failed notes why the watch does not work. It is retried at growing intervals.
func (w *secretWatch) failed(ctx context.Context, r *toolscache.Reflector, err error) {
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	toolscache.DefaultWatchErrorHandler(ctx, r, err)
}

// synced waits until the Secrets are known, or cannot be.
func (w *secretWatch) synced(ctx context.Context) error {
	if w.informer.HasSynced() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !w.informer.HasSynced() {
		w.mu.Lock()
		err := w.err
		w.mu.Unlock()
		if apierrors.IsForbidden(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(errNotWatched, err)
		case <-tick.C:
		}
	}
	return nil
}
