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
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/render/outside"
)

// How often to check whether a component has been installed, or uninstalled. Versions wait for Knative.
const (
	pollKnative = 2 * time.Second
	pollGateway = 5 * time.Second
	pollPresent = 30 * time.Second
)

// Discoverer reports which kinds of a group and version the apiserver serves.
type Discoverer interface {
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// Knative reports which components of Knative are installed. The controller starts
// without them, and watches their kinds once these exist.
type Knative struct {
	Serving, Eventing *Installation
}

// NewKnative returns the components as d reports them.
func NewKnative(d Discoverer) *Knative {
	return &Knative{
		Serving:  &Installation{discovery: d, gvk: render.ServingKind(), missing: pollKnative},
		Eventing: &Installation{discovery: d, gvk: render.EventingKind(), missing: pollKnative},
	}
}

// NewGatewayAPI returns whether d reports the kinds of the Gateway API that are used.
func NewGatewayAPI(d Discoverer) *Installation {
	return &Installation{discovery: d, gvk: outside.RouteKind(), missing: pollGateway}
}

// Installation is whether a component, Knative's or the Gateway API, recognized by one of its
// kinds, is installed.
type Installation struct {
	discovery Discoverer
	gvk       schema.GroupVersionKind
	missing   time.Duration // how often to check while it is not installed
	present   atomic.Bool
}

// Present reports whether the component is installed. It is valid once the component's
// source has started, which is before a controller's first reconcile.
func (c *Installation) Present() bool { return c.present.Load() }

// Source starts the sources of the component's kinds when these exist, after prepare. When
// the component is installed or uninstalled, changed is called to enqueue what that affects.
func (c *Installation) Source(
	changed func(context.Context, Queue), prepare func(context.Context) error, kinds ...source.SyncingSource,
) source.SyncingSource {
	return &installationSource{installation: c, changed: changed, prepare: prepare, kinds: kinds}
}

// discover asks the apiserver.
func (c *Installation) discover() (present bool, err error) {
	list, err := c.discovery.ServerResourcesForGroupVersion(c.gvk.GroupVersion().String())
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == c.gvk.Kind }), nil
}

type installationSource struct {
	installation *Installation
	changed      func(context.Context, Queue)
	prepare      func(context.Context) error
	kinds        []source.SyncingSource
	running      int         // how many of the kinds have been started; only set uses it
	started      atomic.Bool // all of them
}

// Start checks once, because the first reconcile must know, and keeps checking in the background.
func (s *installationSource) Start(ctx context.Context, q Queue) error {
	var present bool
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (_ bool, err error) {
		if present, err = s.installation.discover(); err != nil {
			log.FromContext(ctx).Error(err, "cannot check whether a component is installed", "kind", s.installation.gvk.GroupKind().String())
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

// set notes whether the component is present. The first time that it is, it starts the
// kinds' sources before; what fails is retried with the next call.
func (s *installationSource) set(ctx context.Context, q Queue, present bool) error {
	if present && !s.started.Load() {
		if err := s.prepare(ctx); err != nil {
			return err
		}
		for _, kind := range s.kinds[s.running:] {
			if err := kind.Start(ctx, q); err != nil {
				return err
			}
			s.running++
		}
		s.started.Store(true)
	}
	s.installation.present.Store(present)
	return nil
}

// follow keeps checking until the context ends.
func (s *installationSource) follow(ctx context.Context, q Queue) {
	for {
		pause := s.installation.missing
		if s.installation.Present() {
			pause = pollPresent
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		present, err := s.installation.discover()
		if err != nil || present == s.installation.Present() {
			continue // without a response of the apiserver nothing is known
		}
		log.FromContext(ctx).Info("a component was installed or uninstalled", "kind", s.installation.gvk.GroupKind().String(), "present", present)
		if err := s.set(ctx, q, present); err != nil {
			log.FromContext(ctx).Error(err, "cannot watch the objects of a component", "kind", s.installation.gvk.GroupKind().String())
			continue
		}
		s.changed(ctx, q)
	}
}

// WaitForSync waits for the objects of kinds that existed from the beginning.
func (s *installationSource) WaitForSync(ctx context.Context) error {
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

func (s *installationSource) String() string {
	return "source of " + s.installation.gvk.GroupKind().String()
}
