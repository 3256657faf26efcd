// Package outside renders the objects by which the published version of a namespace is called from
// outside the cluster: an Ingress or a route of the Gateway API for each of its two ports.
//
// The ports have hosts of their own. gRPC is <namespace>.<ingress-domain>, everything else is
// <namespace>.<ingress-web-domain>: of a GRPCRoute and an HTTPRoute with the same host a gateway
// accepts one (https://gateway-api.sigs.k8s.io, GRPCRoute.spec.hostnames), and ingress controllers
// choose the protocol to the backend by Ingress. Each host is one label below its domain, so that a
// wildcard certificate is valid for all namespaces.
//
// All of them route to the Service active-entrypoint, also while there is a canary: the published
// version's entrypoint divides the requests. See docs/decisions.
package outside

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
)

// WebName is the name of the Ingress or HTTPRoute of the web port; that of the gRPC port's Ingress or
// GRPCRoute is [render.ActiveEntrypointName].
const WebName = render.ActiveEntrypointName + "-web"

// Objects returns the objects by which the published version of the runtime's namespace is called from
// outside: routes if the settings name a gateway, else Ingresses. There is none for a port whose domain
// is empty. Versions that are not published are not reachable from outside.
func Objects(rt *v1alpha1.Runtime, s render.Settings) []render.Object {
	var objects []render.Object
	for _, p := range ports(rt, s) {
		if s.Gateway.Name == "" {
			objects = append(objects, p.ingress(s))
			continue
		}
		objects = append(objects, p.route(s))
	}
	return objects
}

// port is a port of active-entrypoint that is reachable from outside.
type port struct {
	// name is the port's in the Service, number its number.
	name   string
	number int32
	host   string
	meta   metav1.ObjectMeta
}

// Names of the ports of the Service active-entrypoint.
const (
	grpcPort = "grpc"
	webPort  = "web"
)

func ports(rt *v1alpha1.Runtime, s render.Settings) []port {
	var all []port
	for _, p := range []struct {
		object, name string
		number       int32
		domain       string
	}{
		{render.ActiveEntrypointName, grpcPort, 9000, s.IngressDomain},
		{WebName, webPort, 80, s.IngressWebDomain},
	} {
		if p.domain == "" {
			continue
		}
		all = append(all, port{name: p.name, number: p.number, host: rt.Namespace + "." + p.domain, meta: metav1.ObjectMeta{
			Name: p.object, Namespace: rt.Namespace,
			Labels: map[string]string{render.LabelName: render.TypeEntrypoint, render.LabelManagedBy: render.ManagedBy},
		}})
	}
	return all
}
