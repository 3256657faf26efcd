package main

import (
	"context"
	"crypto/tls"
	"errors"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/apis/v1beta1"
)

// world is all that decides what is served.
type world struct {
	classes    []gatewayv1.GatewayClass
	gateways   []gatewayv1.Gateway
	routes     []*route
	grants     []v1beta1.ReferenceGrant
	ingresses  []networkingv1.Ingress
	services   map[types.NamespacedName]*corev1.Service
	secrets    map[types.NamespacedName]*corev1.Secret
	namespaces map[string]*corev1.Namespace
	slices     map[types.NamespacedName][]*discoveryv1.EndpointSlice // by Service
}

// read lists the world from the cache.
func read(ctx context.Context, c client.Reader) (*world, error) {
	var (
		classes    gatewayv1.GatewayClassList
		gateways   gatewayv1.GatewayList
		https      gatewayv1.HTTPRouteList
		grpcs      gatewayv1.GRPCRouteList
		grants     v1beta1.ReferenceGrantList
		ingresses  networkingv1.IngressList
		services   corev1.ServiceList
		secrets    corev1.SecretList
		namespaces corev1.NamespaceList
		slices     discoveryv1.EndpointSliceList
	)
	var errs []error
	for _, list := range []client.ObjectList{
		&classes, &gateways, &https, &grpcs, &grants, &ingresses, &services, &secrets, &namespaces, &slices,
	} {
		errs = append(errs, c.List(ctx, list))
	}
	w := &world{
		classes: classes.Items, gateways: gateways.Items, grants: grants.Items, ingresses: ingresses.Items,
		services: index(services.Items), secrets: index(secrets.Items), namespaces: map[string]*corev1.Namespace{},
		slices: map[types.NamespacedName][]*discoveryv1.EndpointSlice{},
	}
	for i := range https.Items {
		w.routes = append(w.routes, ofHTTP(&https.Items[i]))
	}
	for i := range grpcs.Items {
		w.routes = append(w.routes, ofGRPC(&grpcs.Items[i]))
	}
	for i := range namespaces.Items {
		w.namespaces[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	for i := range slices.Items {
		s := &slices.Items[i]
		key := types.NamespacedName{Namespace: s.Namespace, Name: s.Labels[discoveryv1.LabelServiceName]}
		w.slices[key] = append(w.slices[key], s)
	}
	return w, errors.Join(errs...)
}

// index finds objects by their names.
func index[T any, P interface {
	*T
	client.Object
}](items []T) map[types.NamespacedName]P {
	all := make(map[types.NamespacedName]P, len(items))
	for i := range items {
		object := P(&items[i])
		all[client.ObjectKeyFromObject(object)] = object
	}
	return all
}

// endpoints are the addresses, host:port, of the pods behind a Service's port.
func (w *world) endpoints(service *corev1.Service, port corev1.ServicePort) (all []endpoint) {
	for _, s := range w.slices[client.ObjectKeyFromObject(service)] {
		if s.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, p := range s.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != port.Name {
				continue
			}
			for _, e := range s.Endpoints {
				if e.Conditions.Ready == nil || *e.Conditions.Ready {
					all = append(all, endpoint{e.Addresses[0], *p.Port})
				}
			}
		}
	}
	return all
}

// permitted reports whether an object may refer to one in another namespace.
func (w *world) permitted(fromKind, fromNamespace, toKind string, to types.NamespacedName) bool {
	if fromNamespace == to.Namespace {
		return true
	}
	for i := range w.grants {
		g := &w.grants[i]
		if g.Namespace == to.Namespace && grantsFrom(g, fromKind, fromNamespace) && grantsTo(g, toKind, to.Name) {
			return true
		}
	}
	return false
}

func grantsFrom(g *v1beta1.ReferenceGrant, kind, namespace string) bool {
	for _, from := range g.Spec.From {
		if from.Group == gatewayv1.GroupName && string(from.Kind) == kind && string(from.Namespace) == namespace {
			return true
		}
	}
	return false
}

func grantsTo(g *v1beta1.ReferenceGrant, kind, name string) bool {
	for _, to := range g.Spec.To {
		if to.Group == "" && string(to.Kind) == kind && (to.Name == nil || *to.Name == "" || string(*to.Name) == name) {
			return true
		}
	}
	return false
}

// certificate reads a Secret of type kubernetes.io/tls.
func (w *world) certificate(name types.NamespacedName) (*tls.Certificate, bool) {
	secret := w.secrets[name]
	if secret == nil {
		return nil, false
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	return &pair, err == nil
}
