// Package watch holds the event sources of the controllers of versions and runtimes besides
// their own objects: the settings, the installation of Knative, Secrets, and deletions.
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

// Queue is a controller's queue.
type Queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Settings are the cluster's: the ConfigMap config-krt as it last was valid.
type Settings struct {
	cache     cache.Cache
	reader    client.Reader
	events    events.EventRecorder
	namespace string

	mu       sync.RWMutex
	valid    render.Settings
	record   map[string]string // of valid, for versions; never written to
	anyValid bool              // valid is from a ConfigMap
	err      error             // of the newest ConfigMap
	changes  int               // how often valid or err has changed
}

// NewSettings returns the settings of a namespace, which are the defaults until
// [Settings.Source] has read them.
func NewSettings(mgr manager.Manager, namespace string) *Settings {
	return &Settings{
		cache: mgr.GetCache(), reader: mgr.GetClient(), events: mgr.GetEventRecorder("kn-krt"), namespace: namespace,
		valid: render.DefaultSettings(), record: render.Record(nil), // used without a ConfigMap
	}
}

// Get returns the settings in use: the last valid ones while the newest are invalid. It
// returns an error if there have been no valid ones since the controller started. Then
// nothing may be changed, because the settings that it was made by are not known.
func (s *Settings) Get() (render.Settings, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.err != nil && !s.anyValid {
		return render.Settings{}, s.err
	}
	return s.valid, nil
}

// Record returns [Settings.Get] as versions record it, with its error. It must not be
// written to.
func (s *Settings) Record() (map[string]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.err != nil && !s.anyValid {
		return nil, s.err
	}
	return s.record, nil
}

// Source watches the settings for a controller, which starts when they have been read. A
// change requeues all objects of the list's kind.
func (s *Settings) Source(list client.ObjectList) source.SyncingSource {
	seen := 0 // each controller has its own source, which must notice what another one's has read
	read := func(ctx context.Context, config *corev1.ConfigMap, q Queue) {
		if changes := s.read(ctx, config); changes != seen {
			seen = changes
			EnqueueAll(ctx, s.reader, list, q)
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

// read parses a ConfigMap and returns the number of changes.
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
		log.FromContext(ctx).Error(err, "the settings are invalid; the last valid ones stay in use")
		s.events.Eventf(config, nil, corev1.EventTypeWarning, v1alpha1.ReasonSettingsInvalid, "Read", "%s", err)
	case err == nil && (s.err != nil || !reflect.DeepEqual(s.valid, next)):
		s.changes++
	}
	if s.err = err; err == nil {
		s.valid, s.record, s.anyValid = next, render.Record(config.Data), true
	}
	return s.changes
}

// EnqueueAll adds all objects of the list's kind to a queue.
func EnqueueAll(ctx context.Context, reader client.Reader, list client.ObjectList, q Queue) {
	enqueue(ctx, reader, list, q, all)
}

func all(client.Object) bool { return true }

// enqueue adds the objects of the list's kind that are concerned.
func enqueue(ctx context.Context, reader client.Reader, list client.ObjectList, q Queue, concerned func(client.Object) bool) {
	list = list.DeepCopyObject().(client.ObjectList)
	if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "cannot list the objects to reconcile")
		return
	}
	// The function returns no error, so there is none.
	_ = meta.EachListItem(list, func(o runtime.Object) error {
		if object := o.(client.Object); concerned(object) {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}})
		}
		return nil
	})
}
