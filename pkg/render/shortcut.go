package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/serving/pkg/apis/serving"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// nodePort is the port of a node, Knative's default for PORT.
const nodePort = 8080

// hasShortcut reports whether the entrypoint calls the node's pod directly, bypassing ingress
// and queue-proxy. It does if they have nothing to do: with one pod there is nothing to
// balance and nothing to scale. Only queue-proxy enforces a limit on concurrency.
func (in Input) hasShortcut(n v1alpha1.Node) bool {
	least, most := in.bounds(n)
	return in.direct() && least == 1 && most == 1 && in.concurrency(n) == 0
}

// shortcut is the Service that routes directly to a node's pod. While a changed config
// replaces the pod, it has no endpoint until the new one is ready.
func (in Input) shortcut(n v1alpha1.Node) *corev1.Service {
	version := in.Version.Name
	own := labels(version, n.Name)
	own[LabelNode] = n.Name
	own[LabelVersionName] = EntrypointName(version) // which alone uses it
	s := &corev1.Service{ObjectMeta: in.meta(ShortcutName(version, n.Name), own)}
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	selector := map[string]string{serving.ServiceLabelKey: ServiceName(version, n.Name)}
	if in.ConfigHash != "" {
		selector[AnnotationConfigHash] = in.ConfigHash
	}
	s.Spec = corev1.ServiceSpec{
		Type:            corev1.ServiceTypeClusterIP,
		SessionAffinity: corev1.ServiceAffinityNone,
		Selector:        selector,
		Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(nodePort)},
		},
	}
	return s
}
