package render

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// ActiveEntrypoint returns the Service by which the published version of the
// runtime's namespace is called. Switching it is the whole of publishing.
func ActiveEntrypoint(rt *v1alpha1.Runtime, version string) *corev1.Service {
	return entrypointService(rt.Namespace, ActiveEntrypointName, version)
}

// entrypointService is the Service of an entrypoint, field by field as KRT V1 defines it: two
// labels, which are the selector too, and no more. A label of ours would be harmless, but
// then the Service would not be the contract's; so Services are watched by [LabelVersionName].
func entrypointService(namespace, name, version string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: entrypointLabels(version)}}
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	s.Spec = corev1.ServiceSpec{
		Type:            corev1.ServiceTypeClusterIP,
		SessionAffinity: corev1.ServiceAffinityNone,
		Selector:        entrypointLabels(version),
		Ports: []corev1.ServicePort{
			{Name: "grpc", Port: 9000, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(grpcPort)},
			{Name: "web", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(webPort)},
		},
	}
	return s
}

// replyService is the internal Service of the reply port, not for clients.
func (in Input) replyService() *corev1.Service {
	version := in.Version.Name
	own := labels(version, entrypointContainer)
	own[LabelVersionName] = EntrypointName(version)
	s := &corev1.Service{ObjectMeta: in.meta(ReplyName(version), own)}
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	s.Spec = corev1.ServiceSpec{
		Type:            corev1.ServiceTypeClusterIP,
		SessionAffinity: corev1.ServiceAffinityNone,
		Selector:        entrypointLabels(version),
		Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(replyPort)},
		},
	}
	return s
}

// networkPolicy lets only the version's namespace, those of the settings and, for its
// metrics, the controller's reach the reply port, where the network enforces policies.
// It is a second fence: the first are the sealed reply tokens. It is nil when everybody may.
func (in Input) networkPolicy() *networkingv1.NetworkPolicy {
	from := []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}
	for _, namespace := range in.Settings.ReplyNamespaces {
		if namespace == "*" {
			return nil
		}
		from = append(from, networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: namespace},
		}})
	}
	if in.Traffic { // the controller judges canaries by the metrics of this port
		from = append(from, networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: SystemNamespace},
		}})
	}
	port := func(number int32) networkingv1.NetworkPolicyPort {
		return networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: new(intstr.FromInt32(number))}
	}
	version := in.Version.Name
	p := &networkingv1.NetworkPolicy{ObjectMeta: in.meta(EntrypointName(version), labels(version, entrypointContainer))}
	p.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy"))
	p.Spec = networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: entrypointLabels(version)},
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{Ports: []networkingv1.NetworkPolicyPort{port(grpcPort), port(webPort)}},
			{Ports: []networkingv1.NetworkPolicyPort{port(replyPort)}, From: from},
		},
	}
	return p
}

// disruptionBudget lets a drain of the cluster's nodes take one replica at a time.
func (in Input) disruptionBudget() *policyv1.PodDisruptionBudget {
	version := in.Version.Name
	return oneAtATime(in.meta(EntrypointName(version), labels(version, entrypointContainer)), entrypointLabels(version))
}

// nodeDisruptionBudget does the same for the pods of a node that has several at least. Knative makes
// none, and all of them may be on one node of the cluster.
func (in Input) nodeDisruptionBudget(n v1alpha1.Node) *policyv1.PodDisruptionBudget {
	version := in.Version.Name
	own := labels(version, n.Name)
	own[LabelNode] = n.Name
	own[LabelVersionName] = EntrypointName(version)
	return oneAtATime(in.meta(ServiceName(version, n.Name), own), map[string]string{LabelVersion: version, LabelNode: n.Name})
}

func oneAtATime(meta metav1.ObjectMeta, pods map[string]string) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{ObjectMeta: meta}
	b.SetGroupVersionKind(policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"))
	b.Spec = policyv1.PodDisruptionBudgetSpec{
		MaxUnavailable: new(intstr.FromInt32(1)),
		Selector:       &metav1.LabelSelector{MatchLabels: pods},
	}
	return b
}
