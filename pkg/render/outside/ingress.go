package outside

import (
	"cmp"
	"maps"

	networkingv1 "k8s.io/api/networking/v1"

	"krt.dev/kn-krt/pkg/render"
)

// ingress returns the Ingress of a port.
func (p port) ingress(s render.Settings) *networkingv1.Ingress {
	annotations, secret := s.IngressAnnotations, s.IngressTLSSecret
	if p.name == webPort {
		annotations, secret = s.IngressWebAnnotations, cmp.Or(s.IngressWebTLSSecret, s.IngressTLSSecret)
	}
	i := &networkingv1.Ingress{ObjectMeta: p.meta}
	i.Annotations = maps.Clone(annotations)
	i.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	if s.IngressClass != "" {
		i.Spec.IngressClassName = new(s.IngressClass)
	}
	if secret != "" {
		i.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{p.host}, SecretName: secret}}
	}
	backend := networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: render.ActiveEntrypointName,
		Port: networkingv1.ServiceBackendPort{Name: p.name},
	}}
	i.Spec.Rules = []networkingv1.IngressRule{{
		Host: p.host,
		IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: "/", PathType: new(networkingv1.PathTypePrefix), Backend: backend}},
		}},
	}}
	return i
}
