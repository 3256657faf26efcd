package main

import (
	"crypto/tls"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// listener is one of a Gateway's, and what came of it.
type listener struct {
	*gatewayv1.Listener
	gateway  *gatewayv1.Gateway
	kinds    []gatewayv1.RouteGroupKind
	problem  gatewayv1.ListenerConditionReason // of its references; empty if there is none
	protocol bool                              // whether it is known here
	attached int32
	served   *served
}

// listeners examines those of a Gateway.
func (w *world) listeners(g *gatewayv1.Gateway) (all []*listener) {
	for i := range g.Spec.Listeners {
		l := &listener{Listener: &g.Spec.Listeners[i], gateway: g, kinds: []gatewayv1.RouteGroupKind{}}
		l.served = &served{host: string(value(l.Hostname))}
		l.protocol = l.Protocol == gatewayv1.HTTPProtocolType || l.Protocol == gatewayv1.HTTPSProtocolType
		w.certify(l)
		l.allowKinds()
		all = append(all, l)
	}
	return all
}

// allowKinds notes the kinds of routes that a listener allows.
func (l *listener) allowKinds() {
	known := []gatewayv1.RouteGroupKind{
		{Group: new(gatewayv1.Group(gatewayv1.GroupName)), Kind: "HTTPRoute"},
		{Group: new(gatewayv1.Group(gatewayv1.GroupName)), Kind: "GRPCRoute"},
	}
	if l.AllowedRoutes == nil || len(l.AllowedRoutes.Kinds) == 0 {
		l.kinds = known
		return
	}
	for _, k := range l.AllowedRoutes.Kinds {
		at := slices.IndexFunc(known, func(n gatewayv1.RouteGroupKind) bool {
			return n.Kind == k.Kind && (k.Group == nil || *k.Group == *n.Group)
		})
		if at < 0 {
			l.problem = gatewayv1.ListenerReasonInvalidRouteKinds
			continue
		}
		l.kinds = append(l.kinds, known[at])
	}
}

// certify reads the certificates of a listener with TLS.
func (w *world) certify(l *listener) {
	if l.Protocol != gatewayv1.HTTPSProtocolType {
		return
	}
	if l.TLS == nil || len(l.TLS.CertificateRefs) == 0 {
		l.problem = gatewayv1.ListenerReasonInvalidCertificateRef
		return
	}
	for _, ref := range l.TLS.CertificateRefs {
		name := types.NamespacedName{Namespace: l.gateway.Namespace, Name: string(ref.Name)}
		if ref.Namespace != nil {
			name.Namespace = string(*ref.Namespace)
		}
		if value(ref.Group) != "" || ref.Kind != nil && *ref.Kind != "Secret" {
			l.problem = gatewayv1.ListenerReasonInvalidCertificateRef
			continue
		}
		if !w.permitted("Gateway", l.gateway.Namespace, "Secret", name) {
			l.problem = gatewayv1.ListenerReasonRefNotPermitted
			continue
		}
		certificate, valid := w.certificate(name)
		if !valid {
			l.problem = gatewayv1.ListenerReasonInvalidCertificateRef
			continue
		}
		l.served.certificates = append(l.served.certificates, certificate)
	}
}

// allows reports whether routes of a kind and namespace may attach.
func (w *world) allows(l *listener, kind, namespace string) bool {
	if !slices.ContainsFunc(l.kinds, func(k gatewayv1.RouteGroupKind) bool { return string(k.Kind) == kind }) {
		return false
	}
	from := gatewayv1.NamespacesFromSame
	if l.AllowedRoutes != nil && l.AllowedRoutes.Namespaces != nil && l.AllowedRoutes.Namespaces.From != nil {
		from = *l.AllowedRoutes.Namespaces.From
	}
	switch from {
	case gatewayv1.NamespacesFromAll:
		return true
	case gatewayv1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(l.AllowedRoutes.Namespaces.Selector)
		ns := w.namespaces[namespace]
		return err == nil && ns != nil && selector.Matches(labels.Set(ns.Labels))
	case gatewayv1.NamespacesFromSame:
		return namespace == l.gateway.Namespace
	}
	return false
}

// attach adds the routes of a parent to the listeners of a Gateway, and returns why it could not;
// accepted if it could.
func (w *world) attach(r *route, p gatewayv1.ParentReference, all []*listener, backends [][]backend) gatewayv1.RouteConditionReason {
	reason := gatewayv1.RouteReasonNoMatchingParent
	for _, l := range all {
		if p.SectionName != nil && *p.SectionName != l.Name || p.Port != nil && *p.Port != l.Port {
			continue
		}
		if !w.allows(l, r.kind, r.object.GetNamespace()) {
			if reason == gatewayv1.RouteReasonNoMatchingParent {
				reason = gatewayv1.RouteReasonNotAllowedByListeners
			}
			continue
		}
		hosts := intersect(l.served.host, r.hosts)
		if len(hosts) == 0 {
			if reason != gatewayv1.RouteReasonAccepted {
				reason = gatewayv1.RouteReasonNoMatchingListenerHostname
			}
			continue
		}
		reason = gatewayv1.RouteReasonAccepted
		l.attached++
		l.add(r, hosts, backends)
	}
	return reason
}

// add adds the entries of a route for each of the hosts.
func (l *listener) add(r *route, hosts []string, backends [][]backend) {
	for i := range r.rules {
		a := &action{rule: r.rules[i], port: l.Port, backends: backends[i]}
		matches := a.matches
		if len(matches) == 0 {
			matches = []match{{}}
		}
		for _, host := range hosts {
			for _, m := range matches {
				l.served.entries = append(l.served.entries, entry{host: host, match: m, action: a, place: i,
					created: r.object.GetCreationTimestamp().Time, name: r.key().String()})
			}
		}
	}
}

// tlsConfig chooses the certificate by the name that the client sends.
func (t *table) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			l := t.listener(hello.ServerName)
			if l == nil && len(t.listeners) > 0 {
				l = t.listeners[0]
			}
			if l == nil || len(l.certificates) == 0 {
				return nil, errNoCertificate
			}
			for _, c := range l.certificates {
				if hello.SupportsCertificate(c) == nil {
					return c, nil
				}
			}
			return l.certificates[0], nil
		}}
}
