package runtime

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/render/outside"
)

// routes watches the routes of runtimes once the Gateway API is installed.
func (r *reconciler) routes(mgr manager.Manager, x *watch.OwnerIndex) source.SyncingSource {
	changed := func(ctx context.Context, q watch.Queue) {
		watch.EnqueueAll(ctx, mgr.GetClient(), &v1alpha1.RuntimeList{}, q)
	}
	index := func(ctx context.Context) error { return x.Index(ctx, &gatewayv1.GRPCRoute{}, &gatewayv1.HTTPRoute{}) }
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.Runtime{}, handler.OnlyControllerOwner())
	kind := func(object client.Object) source.SyncingSource { return source.Kind(mgr.GetCache(), object, owner) }
	return r.gateways.Source(changed, index, kind(&gatewayv1.GRPCRoute{}), kind(&gatewayv1.HTTPRoute{}))
}

// outside returns the objects by which a published version is reached from outside the cluster, none if
// version is empty, and the kinds of which there must be no others. Without valid settings both are
// empty: what there is stays.
func (r *reconciler) outside(rt *v1alpha1.Runtime, version string) (desired []client.Object, kinds []client.ObjectList) {
	settings, err := r.settings.Get()
	if err != nil {
		return nil, nil
	}
	kinds = append(kinds, &networkingv1.IngressList{})
	if r.gateways.Present() {
		kinds = append(kinds, &gatewayv1.GRPCRouteList{}, &gatewayv1.HTTPRouteList{})
	}
	if version == "" || settings.Gateway.Name != "" && !r.gateways.Present() {
		return nil, kinds
	}
	for _, o := range outside.Objects(rt, settings) {
		desired = append(desired, o)
	}
	return desired, kinds
}

// reach marks whether the Gateway of the settings routes to the published version. A Gateway is not
// watched, so while it does not, the runtime is reconciled again after a while.
func (r *reconciler) reach(ctx context.Context, rt *v1alpha1.Runtime, result reconcile.Result) (reconcile.Result, error) {
	settings, invalid := r.settings.Get()
	if invalid != nil {
		return result, nil //nolint:nilerr // versions report it; what was marked under the former settings stays
	}
	if settings.Gateway.Name == "" || rt.Status.PublishedVersion == "" || len(outside.Hosts(rt, settings)) == 0 {
		rt.MarkNoGateway()
		return result, nil
	}
	if !r.gateways.Present() {
		observe.MarkGatewayAPIMissing(rt, settings.Gateway)
		return result, nil // its installation is watched
	}
	routes, err := r.live(ctx, rt, settings)
	if err != nil {
		return result, err
	}
	exists := observe.Served(settings.Gateway, routes)
	if !exists {
		if exists, err = r.gatewayExists(ctx, settings.Gateway); err != nil {
			return result, err
		}
	}
	// Once: a mark that is replaced by another one would change the condition's time.
	observe.MarkRoutes(rt, settings.Gateway, routes, exists)
	if !rt.IsReachable() {
		result.RequeueAfter = sooner(result.RequeueAfter, foreignInterval)
	}
	return result, nil
}

// live reads the runtime's routes, as far as they exist.
func (r *reconciler) live(ctx context.Context, rt *v1alpha1.Runtime, settings render.Settings) (routes []observe.Route, err error) {
	for _, desired := range outside.Objects(rt, settings) {
		key := types.NamespacedName{Namespace: desired.GetNamespace(), Name: desired.GetName()}
		route := observe.Route{Kind: desired.GetObjectKind().GroupVersionKind().Kind, Name: key.Name}
		switch desired.(type) {
		case *gatewayv1.GRPCRoute:
			var o gatewayv1.GRPCRoute
			err = r.client.Get(ctx, key, &o)
			route.Hosts, route.Generation, route.Parents = o.Spec.Hostnames, o.Generation, o.Status.Parents
		case *gatewayv1.HTTPRoute:
			var o gatewayv1.HTTPRoute
			err = r.client.Get(ctx, key, &o)
			route.Hosts, route.Generation, route.Parents = o.Spec.Hostnames, o.Generation, o.Status.Parents
		}
		if client.IgnoreNotFound(err) != nil {
			return nil, err
		}
		routes = append(routes, route)
	}
	return routes, nil
}

func (r *reconciler) gatewayExists(ctx context.Context, g render.Gateway) (bool, error) {
	err := r.client.Get(ctx, types.NamespacedName{Namespace: g.Namespace, Name: g.Name}, &gatewayv1.Gateway{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
