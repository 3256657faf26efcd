// Package watch is what the controllers of versions and of runtimes hear of beside
// their own objects: the settings, Knative's coming and going, Secrets, and what is gone.
package watch

import (
	"context"
	"fmt"
	"reflect"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// Queue is what controllers take their work from.
type Queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Settings are the cluster's: ConfigMap config-krt as it was when it last could be read.
type Settings struct {
	cache     cache.Cache
	reader    client.Reader
	events    events.EventRecorder
	namespace string

	mu      sync.RWMutex
	good    render.Settings
	record  map[string]string // of good, for versions; never written to
	anyGood bool              // good came from a ConfigMap
	err     error             // of the newest ConfigMap
	changes int               // counts what Get and Problem have said
}

// NewSettings are those of config-krt in a namespace.
func NewSettings(mgr manager.Manager, namespace string) *Settings {
	return &Settings{
		cache: mgr.GetCache(), reader: mgr.GetClient(), events: mgr.GetEventRecorder("kn-krt"), namespace: namespace,
		good: render.DefaultSettings(), record: render.Record(nil), // what holds where there is no ConfigMap
	}
}

// Get returns the settings that hold: the last good ones while the newest are
// bad. The error says that there have been no good ones since the controller
// started; then nothing is to be changed, for it was made by settings that are not known.
func (s *Settings) Get() (render.Settings, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.err != nil && !s.anyGood {
		return render.Settings{}, s.err
	}
	return s.good, nil
}

// Record returns what versions are made of by [Settings.Get], with its error. It must not be written to.
func (s *Settings) Record() (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.err != nil && !s.anyGood {
		return nil, s.err
	}
	return s.record, nil
}

// Problem says what is wrong with the newest settings; empty if nothing is.
func (s *Settings) Problem() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.err == nil {
		return ""
	}
	return s.err.Error()
}

// Source watches the settings for a controller, which begins to work when they
// have been read. A change puts all objects of the list's kind into its queue.
func (s *Settings) Source(list client.ObjectList) source.SyncingSource {
	seen := 0 // every controller has a source of its own, and must notice what another one's has read
	read := func(ctx context.Context, config *corev1.ConfigMap, q Queue) {
		if changes := s.read(ctx, config); changes != seen {
			seen = changes
			Every(ctx, s.reader, list, q)
		}
	}
	return source.Kind(s.cache, &corev1.ConfigMap{}, handler.TypedFuncs[*corev1.ConfigMap, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*corev1.ConfigMap], q Queue) {
			read(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*corev1.ConfigMap], q Queue) {
			read(ctx, e.ObjectNew, q)
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*corev1.ConfigMap], q Queue) {
			read(ctx, &corev1.ConfigMap{ObjectMeta: e.Object.ObjectMeta}, q)
		},
	}, predicate.NewTypedPredicateFuncs(func(config *corev1.ConfigMap) bool {
		return config.Name == render.SettingsName && config.Namespace == s.namespace
	}))
}

// read takes over a ConfigMap and returns the count of changes.
func (s *Settings) read(ctx context.Context, config *corev1.ConfigMap) int {
	next, err := render.ParseSettings(config.Data)
	if err != nil {
		err = fmt.Errorf("cannot read ConfigMap %q in namespace %q: %w", config.Name, config.Namespace, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && (s.err == nil || s.err.Error() != err.Error()):
		s.changes++
		log.FromContext(ctx).Error(err, "the last good settings stay in force")
		s.events.Eventf(config, nil, corev1.EventTypeWarning, v1alpha1.ReasonSettingsInvalid, "Read", "%s", err)
	case err == nil && (s.err != nil || !reflect.DeepEqual(s.good, next)):
		s.changes++
	}
	if s.err = err; err == nil {
		s.good, s.record, s.anyGood = next, render.Record(config.Data), true
	}
	return s.changes
}

// Every puts all objects of the list's kind into a queue.
func Every(ctx context.Context, reader client.Reader, list client.ObjectList, q Queue) {
	list = list.DeepCopyObject().(client.ObjectList)
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "cannot list what the change concerns")
		return
	}
	// The function returns no error, so there is none.
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		object := o.(client.Object)
		q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}})
		return nil
	})
}
