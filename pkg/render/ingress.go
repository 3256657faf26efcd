package render

import (
	"maps"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// ActiveIngress returns the Ingress by which the published version of the
// runtime's namespace is called from outside the cluster, by gRPC, as
// <namespace>.<ingress-domain>. It is nil where the settings have no domain.
// Versions that are not published are not reachable from outside.
func ActiveIngress(rt *v1alpha1.Runtime, s Settings) *networkingv1.Ingress {
	if s.IngressDomain == "" {
		return nil
	}
	host := rt.Namespace + "." + s.IngressDomain
	i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{
		Name:        ActiveEntrypointName,
		Namespace:   rt.Namespace,
		Labels:      map[string]string{LabelName: entrypointContainer, LabelManagedBy: ManagedBy},
		Annotations: maps.Clone(s.IngressAnnotations),
	}}
	i.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	if s.IngressClass != "" {
		i.Spec.IngressClassName = new(s.IngressClass)
	}
	if s.IngressTLSSecret != "" {
		i.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: s.IngressTLSSecret}}
	}
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: ActiveEntrypointName,
		Port: networkingv1.ServiceBackendPort{Name: "grpc"},
	}}
	i.Spec.Rules = []networkingv1.IngressRule{{
		Host: host,
		IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: new(networkingv1.PathTypePrefix), Backend: backend}},
		}},
	}}
	return i
}
