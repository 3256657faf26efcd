package main

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ingressClass is the class of the Ingresses that are served here.
const ingressClass = "krt-test"

// protocolAnnotation is that of NGINX's controller, by which users choose gRPC to the backend.
const protocolAnnotation = "nginx.ingress.kubernetes.io/backend-protocol"

// serveIngresses adds the Ingresses of the class to the tables of an address: port 80, and with a
// certificate 443.
func (w *world) serveIngresses(tables map[string]*table, address string) map[*networkingv1.Ingress]string {
	served := map[*networkingv1.Ingress]string{}
	for i := range w.ingresses {
		in := &w.ingresses[i]
		if value(in.Spec.IngressClassName) != ingressClass {
			continue
		}
		served[in] = address
		for _, rule := range in.Spec.Rules {
			if rule.HTTP == nil {
				continue
			}
			l := w.ofIngress(in, rule)
			place(tables, address, 80, l)
			if l = w.ofIngress(in, rule); w.certifyIngress(in, l) {
				place(tables, address, 443, l)
			}
		}
	}
	return served
}

func (w *world) ofIngress(in *networkingv1.Ingress, rule networkingv1.IngressRule) *served {
	l := &served{host: rule.Host}
	for n, path := range rule.HTTP.Paths {
		a := &action{port: 80}
		if s := path.Backend.Service; s != nil {
			service := w.services[types.NamespacedName{Namespace: in.Namespace, Name: s.Name}]
			if port, found := portOf(service, s.Port); found {
				a.backends = []backend{w.backend(1, service, port, in.Annotations[protocolAnnotation] == "GRPC")}
			}
		}
		l.entries = append(l.entries, entry{
			host: rule.Host, action: a, place: n, name: in.Namespace + "/" + in.Name, created: in.CreationTimestamp.Time,
			match: match{path: path.Path, exact: value(path.PathType) == networkingv1.PathTypeExact},
		})
	}
	return l
}

func portOf(service *corev1.Service, wanted networkingv1.ServiceBackendPort) (corev1.ServicePort, bool) {
	if service == nil {
		return corev1.ServicePort{}, false
	}
	for _, p := range service.Spec.Ports {
		if p.Port == wanted.Number || wanted.Name != "" && p.Name == wanted.Name {
			return p, true
		}
	}
	return corev1.ServicePort{}, false
}

// certifyIngress reads the certificate for a listener's host.
func (w *world) certifyIngress(in *networkingv1.Ingress, l *served) bool {
	for _, t := range in.Spec.TLS {
		for _, host := range t.Hosts {
			if !covers(host, l.host) {
				continue
			}
			if c, valid := w.certificate(types.NamespacedName{Namespace: in.Namespace, Name: t.SecretName}); valid {
				l.certificates = append(l.certificates, c)
			}
		}
	}
	return len(l.certificates) > 0
}

// reportIngresses writes the address of those that are served.
func (s *server) reportIngresses(ctx context.Context, served map[*networkingv1.Ingress]string) error {
	var errs []error
	for in, address := range served {
		before := in.DeepCopy()
		in.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: address}}
		errs = append(errs, s.write(ctx, before, in, before.Status, in.Status))
	}
	return errors.Join(errs...)
}
