package render

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/serving/pkg/apis/serving"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// nodePort is where a node listens, Knative's default for PORT.
const nodePort = 8080

// hasShortcut tells whether the entrypoint calls the node's pod straight, past
// ingress and queue-proxy. It does where they would have nothing to do: with one
// pod there is nothing to balance and nothing to scale. A bound on concurrency is
// kept by queue-proxy alone.
func (in Input) hasShortcut(n v1alpha1.Node) bool {
	least, most := in.bounds(n)
	return in.direct() && least == 1 && most == 1 && in.concurrency(n) == 0
}

// shortcut is the Service that leads straight to a node's pod, once that is ready.
// While a changed config replaces the pod, it leads nowhere until the new one is.
func (in Input) shortcut(n v1alpha1.Node) *corev1.Service {
	version := in.Version.Name
	own := labels(version, n.Name)
	own[LabelNode] = n.Name
	own[LabelVersionName] = EntrypointName(version) // whose way it is
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
