package main

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// route is an HTTPRoute or a GRPCRoute.
type route struct {
	object  client.Object
	kind    string
	hosts   []gatewayv1.Hostname
	parents []gatewayv1.ParentReference
	status  *gatewayv1.RouteStatus
	rules   []rule
}

// rule is one of a route. broken is that it has a filter that is not known here.
type rule struct {
	matches  []match
	remove   []string
	set, add []gatewayv1.HTTPHeader
	redirect *gatewayv1.HTTPRequestRedirectFilter
	refs     []gatewayv1.BackendRef
	grpc     bool
	broken   bool
}

// match is what a request must be like.
type match struct {
	path    string // empty for any
	exact   bool
	method  string // the last part of a gRPC path; empty for any
	verb    string
	headers map[string]string
	never   bool // a kind of match that is not known here
}

func (r *route) key() types.NamespacedName { return client.ObjectKeyFromObject(r.object) }

func ofHTTP(o *gatewayv1.HTTPRoute) *route {
	r := &route{object: o, kind: "HTTPRoute", hosts: o.Spec.Hostnames, parents: o.Spec.ParentRefs, status: &o.Status.RouteStatus}
	for _, from := range o.Spec.Rules {
		to := rule{}
		for _, m := range from.Matches {
			to.matches = append(to.matches, httpMatch(m))
		}
		for _, f := range from.Filters {
			to.filter(string(f.Type), f.RequestHeaderModifier, f.RequestRedirect)
		}
		for _, b := range from.BackendRefs {
			to.refs = append(to.refs, b.BackendRef)
			to.broken = to.broken || len(b.Filters) > 0
		}
		r.rules = append(r.rules, to)
	}
	return r
}

func ofGRPC(o *gatewayv1.GRPCRoute) *route {
	r := &route{object: o, kind: "GRPCRoute", hosts: o.Spec.Hostnames, parents: o.Spec.ParentRefs, status: &o.Status.RouteStatus}
	for _, from := range o.Spec.Rules {
		to := rule{grpc: true}
		for _, m := range from.Matches {
			to.matches = append(to.matches, grpcMatch(m))
		}
		for _, f := range from.Filters {
			to.filter(string(f.Type), f.RequestHeaderModifier, nil)
		}
		for _, b := range from.BackendRefs {
			to.refs = append(to.refs, b.BackendRef)
			to.broken = to.broken || len(b.Filters) > 0
		}
		r.rules = append(r.rules, to)
	}
	return r
}

func httpMatch(m gatewayv1.HTTPRouteMatch) match {
	to := match{headers: map[string]string{}, verb: string(value(m.Method)), never: len(m.QueryParams) > 0}
	if m.Path != nil {
		switch kind := value(m.Path.Type); kind {
		case gatewayv1.PathMatchExact, gatewayv1.PathMatchPathPrefix, "":
			to.path, to.exact = value(m.Path.Value), kind == gatewayv1.PathMatchExact
		default:
			to.never = true
		}
	}
	for _, h := range slices.Backward(m.Headers) { // of one name the first counts
		to.headers[string(h.Name)] = h.Value
		to.never = to.never || value(h.Type) == gatewayv1.HeaderMatchRegularExpression
	}
	return to
}

func grpcMatch(m gatewayv1.GRPCRouteMatch) match {
	to := match{headers: map[string]string{}}
	if m.Method != nil {
		to.never = value(m.Method.Type) == gatewayv1.GRPCMethodMatchRegularExpression
		switch service, method := value(m.Method.Service), value(m.Method.Method); {
		case service != "" && method != "":
			to.path, to.exact = "/"+service+"/"+method, true
		case service != "":
			to.path = "/" + service
		default:
			to.method = method
		}
	}
	for _, h := range slices.Backward(m.Headers) {
		to.headers[string(h.Name)] = h.Value
		to.never = to.never || value(h.Type) == gatewayv1.GRPCHeaderMatchRegularExpression
	}
	return to
}

func (r *rule) filter(kind string, headers *gatewayv1.HTTPHeaderFilter, redirect *gatewayv1.HTTPRequestRedirectFilter) {
	switch {
	case headers != nil && kind == string(gatewayv1.HTTPRouteFilterRequestHeaderModifier):
		r.set, r.add, r.remove = append(r.set, headers.Set...), append(r.add, headers.Add...), append(r.remove, headers.Remove...)
	case redirect != nil && redirect.Path == nil:
		r.redirect = redirect
	default:
		r.broken = true
	}
}

// resolve finds what a reference of a route refers to; reason is why it cannot be used.
func (w *world) resolve(r *route, ref gatewayv1.BackendRef) (b backend, reason gatewayv1.RouteConditionReason) {
	b.weight = int(cmp.Or(value(ref.Weight), 1))
	if ref.Weight != nil {
		b.weight = int(*ref.Weight)
	}
	if value(ref.Group) != "" || ref.Kind != nil && *ref.Kind != "Service" {
		return b, gatewayv1.RouteReasonInvalidKind
	}
	name := types.NamespacedName{Namespace: r.object.GetNamespace(), Name: string(ref.Name)}
	if ref.Namespace != nil {
		name.Namespace = string(*ref.Namespace)
	}
	if !w.permitted(r.kind, r.object.GetNamespace(), "Service", name) {
		return b, gatewayv1.RouteReasonRefNotPermitted
	}
	service := w.services[name]
	if service == nil {
		return b, gatewayv1.RouteReasonBackendNotFound
	}
	for _, port := range service.Spec.Ports {
		if port.Port == value(ref.Port) {
			return w.backend(b.weight, service, port, r.kind == "GRPCRoute"), ""
		}
	}
	return b, gatewayv1.RouteReasonBackendNotFound
}

// backend is a Service's port that can be used.
func (w *world) backend(weight int, service *corev1.Service, port corev1.ServicePort, grpc bool) backend {
	return backend{weight: weight, valid: true, http2: grpc || strings.HasSuffix(value(port.AppProtocol), "h2c"),
		endpoints: w.endpoints(service, port)}
}

func value[T any](pointer *T) (v T) {
	if pointer != nil {
		return *pointer
	}
	return v
}
