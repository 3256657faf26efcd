package runtime

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/spelling"
	"krt.dev/kn-krt/pkg/render"
)

// obstacle returns what marks why the wanted version is not to be published, or
// is published and does not answer; nil if nothing is in the way.
func (r *reconciler) obstacle(ctx context.Context, rt *v1alpha1.Runtime) (mark func(), err error) {
	wanted, published := rt.Spec.PublishedVersion, rt.Status.PublishedVersion
	if wanted == "" {
		return nil, nil
	}
	var v v1alpha1.Version
	err = r.client.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: wanted}, &v)
	if apierrors.IsNotFound(err) {
		return r.missing(ctx, rt)
	}
	if err != nil {
		return nil, err
	}
	mark = unready(rt, &v)
	if mark != nil || wanted == published {
		return mark, nil
	}
	endpoints, err := r.endpoints(ctx, rt.Namespace, wanted)
	if err != nil || len(endpoints) > 0 {
		return nil, err
	}
	return func() {
		rt.MarkPublishing(fmt.Sprintf("Service %q has no ready endpoint yet: kubectl get endpointslices -n %s -l %s=%s",
			wanted, rt.Namespace, discoveryv1.LabelServiceName, wanted))
	}, nil
}

// missing offers the name that was perhaps meant.
func (r *reconciler) missing(ctx context.Context, rt *v1alpha1.Runtime) (func(), error) {
	var versions v1alpha1.VersionList
	if err := r.client.List(ctx, &versions, client.InNamespace(rt.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var names []string
	for i := range versions.Items {
		names = append(names, versions.Items[i].Name)
	}
	nearest := spelling.Nearest(rt.Spec.PublishedVersion, names)
	return func() { rt.MarkVersionNotFound(nearest) }, nil
}

// unready marks why a version cannot be published. One that is published already
// is held up by what needs a person only, not by work in progress.
func unready(rt *v1alpha1.Runtime, v *v1alpha1.Version) func() {
	again := v.Name == rt.Status.PublishedVersion
	ready := v.Status.Condition(v1alpha1.ConditionReady)
	switch {
	case v.DeletionTimestamp != nil && !again:
		return func() { rt.MarkVersionNotReady("it is being deleted") }
	case v.IsReady():
		return nil
	case v.WantedState() == v1alpha1.StateStopped && !again:
		return func() {
			rt.MarkVersionNotReady(fmt.Sprintf("it is stopped; start it: kn krt start %s -n %s", v.Name, v.Namespace))
		}
	case ready != nil && ready.Status == metav1.ConditionFalse && ready.ObservedGeneration == v.Generation:
		return func() { rt.MarkVersionNotReady(ready.Message) }
	case again:
		return nil
	default:
		return func() { rt.MarkPublishing(fmt.Sprintf("version %q is starting", v.Name)) }
	}
}

// followed reports whether active-entrypoint has endpoints, and all of them are
// the wanted version's.
func (r *reconciler) followed(ctx context.Context, rt *v1alpha1.Runtime) (bool, error) {
	active, err := r.endpoints(ctx, rt.Namespace, render.ActiveEntrypointName)
	if err != nil {
		return false, err
	}
	wanted, err := r.endpoints(ctx, rt.Namespace, rt.Spec.PublishedVersion)
	if err != nil {
		return false, err
	}
	for address := range active {
		if !wanted[address] {
			return false, nil
		}
	}
	return len(active) > 0, nil
}

// endpoints are the addresses behind a Service to which connections are made.
func (r *reconciler) endpoints(ctx context.Context, namespace, service string) (map[string]bool, error) {
	var slices discoveryv1.EndpointSliceList
	err := r.client.List(ctx, &slices, client.InNamespace(namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: service}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, err
	}
	addresses := map[string]bool{}
	for i := range slices.Items {
		for _, e := range slices.Items[i].Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready { // not said means ready, by the API's own word
				for _, address := range e.Addresses {
					addresses[address] = true
				}
			}
		}
	}
	return addresses, nil
}
