package observe

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"krt.dev/kn-krt/pkg/render"
)

// reported is what a gateway controller reports about a route: types of conditions with their status.
func reported(gateway string, generation int64, conditions ...string) gatewayv1.RouteParentStatus {
	p := gatewayv1.RouteParentStatus{ParentRef: gatewayv1.ParentReference{
		Namespace: new(gatewayv1.Namespace("gateways")), Name: gatewayv1.ObjectName(gateway),
	}}
	for i := 0; i < len(conditions); i += 3 {
		p.Conditions = append(p.Conditions, metav1.Condition{
			Type: conditions[i], Status: metav1.ConditionStatus(conditions[i+1]), Reason: conditions[i+2], ObservedGeneration: generation,
			Message: "because",
		})
	}
	return p
}

func TestRoutesOfAGateway(t *testing.T) {
	const pending = `Gateway "public" of namespace "gateways" has not reported yet whether it accepts HTTPRoute "web"; ` +
		`does a controller serve its class?; see: kubectl describe httproute web -n kre`
	good := []string{"Accepted", "True", "Accepted", "ResolvedRefs", "True", "ResolvedRefs"}
	for _, tt := range []struct {
		name    string
		missing bool
		parents []gatewayv1.RouteParentStatus
		want    string
	}{
		{"no gateway", true, nil, `False GatewayNotFound: Gateway "public" of namespace "gateways" does not exist; create it, or correct ` +
			`the setting gateway; see: kubectl get gateways -A`},
		{"nothing reported", false, nil, "Unknown GatewayPending: " + pending},
		{"another gateway", false, []gatewayv1.RouteParentStatus{reported("other", 3, good...)}, "Unknown GatewayPending: " + pending},
		{"before the last change", false, []gatewayv1.RouteParentStatus{reported("public", 2, good...)}, "Unknown GatewayPending: " + pending},
		{"not accepted", false, []gatewayv1.RouteParentStatus{reported("public", 3, "Accepted", "False", "NotAllowedByListeners")},
			`False RouteNotAccepted: Gateway "public" of namespace "gateways" reports about HTTPRoute "web": NotAllowedByListeners: because; ` +
				`see: kubectl describe httproute web -n kre`},
		{"no backend", false, []gatewayv1.RouteParentStatus{reported("public", 3, "Accepted", "True", "Accepted", "ResolvedRefs", "False", "BackendNotFound")},
			`False RouteNotAccepted: Gateway "public" of namespace "gateways" reports about HTTPRoute "web": BackendNotFound: because; ` +
				`see: kubectl describe httproute web -n kre`},
		{"accepted", false, []gatewayv1.RouteParentStatus{reported("other", 3, "Accepted", "False", "No"), reported("public", 3, good...)},
			`True Accepted: Gateway "public" of namespace "gateways" routes kre.grpc.example.com and kre.api.example.com`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rt := runtime("a")
			rt.Namespace = "kre"
			MarkRoutes(rt, render.Gateway{Namespace: "gateways", Name: "public"}, []Route{
				{Kind: "GRPCRoute", Name: "grpc", Generation: 1, Hosts: []gatewayv1.Hostname{"kre.grpc.example.com"},
					Parents: []gatewayv1.RouteParentStatus{reported("public", 1, good...)}},
				{Kind: "HTTPRoute", Name: "web", Generation: 3, Hosts: []gatewayv1.Hostname{"kre.api.example.com"}, Parents: tt.parents},
			}, !tt.missing)
			c := rt.Status.Condition("Reachable")
			require.Equal(t, tt.want, string(c.Status)+" "+c.Reason+": "+c.Message)
			require.Equal(t, c.Status == metav1.ConditionTrue, rt.IsReachable())
			rt.MarkNoGateway()
			require.Nil(t, rt.Status.Condition("Reachable"))
		})
	}
}
