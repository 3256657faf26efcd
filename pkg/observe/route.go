package observe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// Route is what is known of a GRPCRoute or HTTPRoute to the published version. Without a Generation it
// does not exist yet.
type Route struct {
	Kind, Name string
	Generation int64
	Hosts      []gatewayv1.Hostname
	Parents    []gatewayv1.RouteParentStatus
}

// MarkGatewayAPIMissing marks in rt that there are no routes, because their kinds are not installed.
func MarkGatewayAPIMissing(rt *v1alpha1.Runtime, g render.Gateway) {
	rt.MarkUnreachable(v1alpha1.ReasonGatewayAPIMissing, fmt.Sprintf("%s cannot be used: the kinds GRPCRoute and HTTPRoute of the "+
		"Gateway API, v1.1 or later, are not installed; install them with your gateway controller, or remove the setting gateway", named(g)))
}

// MarkRoutes marks in rt whether a Gateway accepts the routes to the published version; exists is
// whether the Gateway does.
func MarkRoutes(rt *v1alpha1.Runtime, g render.Gateway, routes []Route, exists bool) {
	var hosts []string
	for i := range routes {
		r := &routes[i]
		if reason, message := r.obstacle(g, exists); reason != "" {
			if reason != v1alpha1.ReasonGatewayNotFound {
				message += fmt.Sprintf("; see: kubectl describe %s %s -n %s", strings.ToLower(r.Kind), r.Name, rt.Namespace)
			}
			rt.MarkUnreachable(reason, message)
			return
		}
		for _, host := range r.Hosts {
			hosts = append(hosts, string(host))
		}
	}
	rt.MarkReachable(fmt.Sprintf("%s routes %s", named(g), strings.Join(hosts, " and ")))
}

// Served reports whether the Gateway, which then exists, serves all routes.
func Served(g render.Gateway, routes []Route) bool {
	return !slices.ContainsFunc(routes, func(r Route) bool {
		reason, _ := r.obstacle(g, true)
		return reason != ""
	})
}

// obstacle is why a Gateway does not serve the route; an empty reason if it does.
func (r *Route) obstacle(g render.Gateway, exists bool) (reason, message string) {
	if !exists {
		return v1alpha1.ReasonGatewayNotFound,
			fmt.Sprintf("%s does not exist; create it, or correct the setting gateway; see: kubectl get gateways -A", named(g))
	}
	reported := false
	for i := range r.Parents {
		p := &r.Parents[i]
		accepted := meta.FindStatusCondition(p.Conditions, string(gatewayv1.RouteConditionAccepted))
		if !parentIs(p.ParentRef, g) || accepted == nil || accepted.ObservedGeneration < r.Generation {
			continue
		}
		reported = true
		for _, wanted := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
			if c := meta.FindStatusCondition(p.Conditions, string(wanted)); c != nil && c.Status == metav1.ConditionFalse {
				return v1alpha1.ReasonRouteNotAccepted, fmt.Sprintf("%s reports about %s %q: %s: %s",
					named(g), r.Kind, r.Name, c.Reason, cmp.Or(c.Message, "no message"))
			}
		}
	}
	if !reported {
		return v1alpha1.ReasonGatewayPending, fmt.Sprintf("%s has not reported yet whether it accepts %s %q; does a controller "+
			"serve its class?", named(g), r.Kind, r.Name)
	}
	return "", ""
}

func parentIs(p gatewayv1.ParentReference, g render.Gateway) bool {
	return string(p.Name) == g.Name && p.Namespace != nil && string(*p.Namespace) == g.Namespace
}

func named(g render.Gateway) string {
	return fmt.Sprintf("Gateway %q of namespace %q", g.Name, g.Namespace)
}
