package runtime

import (
	"context"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// obstacle returns why the wanted version is not to be published, or is published and
// not ready; nil if nothing is in the way.
func (r *reconciler) obstacle(ctx context.Context, rt *v1alpha1.Runtime) (*observe.Cause, error) {
	wanted := rt.Spec.PublishedVersion
	if wanted == "" {
		return nil, nil
	}
	var v v1alpha1.Version
	err := r.client.Get(ctx, types.NamespacedName{Namespace: rt.Namespace, Name: wanted}, &v)
	if apierrors.IsNotFound(err) {
		names, err := r.versionNames(ctx, rt.Namespace)
		return observe.VersionNotFound(rt, names), err
	}
	if err != nil {
		return nil, err
	}
	cause := observe.Unpublishable(rt, &v)
	if cause != nil && r.unready(rt, &v, false) {
		cause = nil
	}
	if cause != nil || wanted == rt.Status.PublishedVersion {
		return cause, nil
	}
	return r.unserved(ctx, rt, &v, false)
}

// unserved returns why a version that is ready gets no requests yet, nil if it can have them: its entrypoint has no
// endpoint, or its nodes are being woken.
func (r *reconciler) unserved(ctx context.Context, rt *v1alpha1.Runtime, v *v1alpha1.Version, canary bool) (*observe.Cause, error) {
	endpoints, err := r.endpoints(ctx, rt.Namespace, render.EntrypointServiceName(v.Name))
	if err != nil {
		return nil, err
	}
	if len(endpoints) == 0 {
		return noEndpoints(rt, v.Name), nil
	}
	return r.cold(ctx, rt, v, canary), nil
}

// noEndpoints is why a version that is ready gets no requests.
func noEndpoints(rt *v1alpha1.Runtime, version string) *observe.Cause {
	return &observe.Cause{Reason: v1alpha1.ReasonPublishing, Message: fmt.Sprintf(
		"Service %q has no ready endpoint yet; see: kubectl get endpointslices -n %s -l %s=%s",
		version, rt.Namespace, discoveryv1.LabelServiceName, version)}
}

// versionNames are the names of the namespace's versions, sorted: texts must not change by chance.
func (r *reconciler) versionNames(ctx context.Context, namespace string) (names []string, err error) {
	var versions v1alpha1.VersionList
	if err := r.client.List(ctx, &versions, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range versions.Items {
		names = append(names, versions.Items[i].Name)
	}
	slices.Sort(names)
	return names, nil
}

// switched reports whether active-entrypoint has endpoints, and all of them are the
// wanted version's.
func (r *reconciler) switched(ctx context.Context, rt *v1alpha1.Runtime) (bool, error) {
	active, err := r.endpoints(ctx, rt.Namespace, render.ActiveEntrypointName)
	if err != nil {
		return false, err
	}
	wanted, err := r.endpoints(ctx, rt.Namespace, render.EntrypointServiceName(rt.Spec.PublishedVersion))
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
			if e.Conditions.Ready == nil || *e.Conditions.Ready { // the API defines nil as ready
				for _, address := range e.Addresses {
					addresses[address] = true
				}
			}
		}
	}
	return addresses, nil
}
