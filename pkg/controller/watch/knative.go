package watch

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// How often is looked whether a part of Knative has come, or has gone.
const (
	pollMissing = 2 * time.Second
	pollPresent = 30 * time.Second
)

// Discoverer tells which kinds of a group and version the apiserver serves.
type Discoverer interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// Knative knows which parts of Knative are installed. The controller starts
// without them, and watches their kinds when they come.
type Knative struct {
	Serving, Eventing *Part
}

// NewKnative asks d.
func NewKnative(d Discoverer) *Knative {
	return &Knative{
		Serving:  &Part{discovery: d, gvk: servingv1.SchemeGroupVersion.WithKind("Service")},
		Eventing: &Part{discovery: d, gvk: flowsv1.SchemeGroupVersion.WithKind("Sequence")},
	}
}

// Part is one part of Knative, told by a kind of its own.
type Part struct {
	discovery Discoverer
	gvk       schema.GroupVersionKind
	present   atomic.Bool
}

// Present reports whether the part is installed. It holds once the part's source
// has started, which is before a controller's first reconcile.
func (p *Part) Present() bool { return p.present.Load() }

// Source begins the sources of the part's kinds when these are there, after
// prepare. When the part comes or goes, changed is called to put into the queue
// what that concerns.
func (p *Part) Source(changed func(context.Context, Queue), prepare func(context.Context) error, kinds ...source.SyncingSource) source.SyncingSource {
	return &partSource{part: p, changed: changed, prepare: prepare, kinds: kinds}
}

// look asks the apiserver.
func (p *Part) look() (present bool, err error) {
	list, err := p.discovery.ServerResourcesForGroupVersion(p.gvk.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == p.gvk.Kind }), nil
}

type partSource struct {
	part    *Part
	changed func(context.Context, Queue)
	prepare func(context.Context) error
	kinds   []source.SyncingSource
	begun   int         // of the kinds; only who calls set looks
	started atomic.Bool // all of them
}

// Start looks once, for the first reconcile must know, and goes on looking behind.
func (s *partSource) Start(ctx context.Context, q Queue) error {
	var present bool
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (_ bool, err error) {
		if present, err = s.part.look(); err != nil {
			log.FromContext(ctx).Error(err, "cannot see whether Knative is installed", "kind", s.part.gvk.GroupKind().String())
		}
		return err == nil, nil
	})
	if err != nil {
		return err
	}
	if err := s.set(ctx, q, present); err != nil {
		return err
	}
	go s.follow(ctx, q)
	return nil
}

// set notes whether the part is there; the first time that it is, the kinds'
// sources are started before. What has failed is tried again with the next call.
func (s *partSource) set(ctx context.Context, q Queue, present bool) error {
	if present && !s.started.Load() {
		if err := s.prepare(ctx); err != nil {
			return err
		}
		for _, kind := range s.kinds[s.begun:] {
			if err := kind.Start(ctx, q); err != nil {
				return err
			}
			s.begun++
		}
		s.started.Store(true)
	}
	s.part.present.Store(present)
	return nil
}

// follow looks again and again until the end of the context.
func (s *partSource) follow(ctx context.Context, q Queue) {
	for {
		pause := pollMissing
		if s.part.Present() {
			pause = pollPresent
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		present, err := s.part.look()
		if err != nil || present == s.part.Present() {
			continue // an apiserver that does not answer says nothing about Knative
		}
		log.FromContext(ctx).Info("Knative has come or gone", "kind", s.part.gvk.GroupKind().String(), "present", present)
		if err := s.set(ctx, q, present); err != nil {
			log.FromContext(ctx).Error(err, "cannot watch Knative's objects", "kind", s.part.gvk.GroupKind().String())
			continue
		}
		s.changed(ctx, q)
	}
}

// WaitForSync waits for the objects of kinds that were there from the beginning.
func (s *partSource) WaitForSync(ctx context.Context) error {
	if !s.started.Load() {
		return nil
	}
	for _, kind := range s.kinds {
		if err := kind.WaitForSync(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *partSource) String() string { return "source of " + s.part.gvk.GroupKind().String() }
