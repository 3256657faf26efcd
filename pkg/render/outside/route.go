package outside

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
	"krt.dev/kn-krt/pkg/render"
)

// RouteKind is the kind that a cluster has if its Gateway API is v1.1 or later: the newest kind of it
// that is used here.
func RouteKind() schema.GroupVersionKind {
	return schema.GroupVersion(gatewayv1.GroupVersion).WithKind("GRPCRoute")
}

// marks are the metadata by which entrypoints mark the requests that they forward or copy.
func marks() []string { return []string{traffic.Metadata, traffic.MetadataMirror} }

// Hosts returns the hosts at which a runtime's published version is called from outside.
func Hosts(rt *v1alpha1.Runtime, s render.Settings) []string {
	var hosts []string
	for _, p := range ports(rt, s) {
		hosts = append(hosts, p.host)
	}
	return hosts
}

// route returns the route of a port: a GRPCRoute, or an HTTPRoute for the web port. It removes the
// metadata by which entrypoints mark what they forward: a client outside the cluster must not use it.
func (p port) route(s render.Settings) render.Object {
	parent := gatewayv1.ParentReference{
		Namespace: new(gatewayv1.Namespace(s.Gateway.Namespace)), Name: gatewayv1.ObjectName(s.Gateway.Name),
	}
	if s.Gateway.Listener != "" {
		parent.SectionName = new(gatewayv1.SectionName(s.Gateway.Listener))
	}
	common := gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent}}
	hosts := []gatewayv1.Hostname{gatewayv1.Hostname(p.host)}
	backend := gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
		Name: render.ActiveEntrypointName, Port: new(p.number),
	}}
	unmarked := &gatewayv1.HTTPHeaderFilter{Remove: marks()}
	if p.name == grpcPort {
		r := &gatewayv1.GRPCRoute{ObjectMeta: p.meta, Spec: gatewayv1.GRPCRouteSpec{
			CommonRouteSpec: common, Hostnames: hosts,
			Rules: []gatewayv1.GRPCRouteRule{{
				Filters:     []gatewayv1.GRPCRouteFilter{{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: unmarked}},
				BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: backend}},
			}},
		}}
		r.SetGroupVersionKind(RouteKind())
		return r
	}
	r := &gatewayv1.HTTPRoute{ObjectMeta: p.meta, Spec: gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: common, Hostnames: hosts,
		Rules: []gatewayv1.HTTPRouteRule{{
			Filters:     []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: unmarked}},
			BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: backend}},
		}},
	}}
	r.SetGroupVersionKind(schema.GroupVersion(gatewayv1.GroupVersion).WithKind("HTTPRoute"))
	return r
}
