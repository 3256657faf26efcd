package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// nodePort is the port of a node, Knative's default for PORT.
	nodePort = 8080
	// proxyPort is that of the queue-proxy in front of it (Knative's networking.BackendHTTPPort).
	proxyPort = 8012
)

// hasShortcut reports whether the entrypoint calls the node's pod directly, bypassing ingress
// and queue-proxy. It does if they have nothing to do: with one pod there is nothing to
// balance and nothing to scale. Only queue-proxy enforces a limit on concurrency. Nothing is called past Knative
// that Knative encrypts.
func (in Input) hasShortcut(n v1alpha1.Node) bool {
	least, most := in.bounds(n)
	return in.direct() && !in.Encrypted && least == 1 && most == 1 && in.concurrency(n) == 0
}

// way is the Service by which the entrypoint calls the node's pods; nil where it calls the Knative Service.
func (in Input) way(n v1alpha1.Node) *corev1.Service {
	switch {
	case in.hasShortcut(n):
		return in.shortcut(n)
	case in.callsPods(n):
		return in.podsOf(n)
	}
	return nil
}

// callsPods reports whether the entrypoint calls the queue-proxies of the node's pods, bypassing the ingress
// alone. It does wherever it calls nodes itself and there is no shorter way: queue-proxies enforce the limit
// on concurrency, and tell the autoscaler about the load. The entrypoint of an older kn-krt does not know how.
func (in Input) callsPods(n v1alpha1.Node) bool {
	return in.Kept && in.direct() && !in.Encrypted && !in.hasShortcut(n)
}

// podsOf is the Service by whose name the entrypoint finds the pods of a node: those that are ready, of the
// template in force. While others replace them, there is none, and the Knative Service is called.
func (in Input) podsOf(n v1alpha1.Node) *corev1.Service {
	s := in.wayTo(n, PodsName(in.Version.Name, n.Name), proxyPort)
	s.Spec.ClusterIP = corev1.ClusterIPNone
	s.Spec.Ports[0].Port = proxyPort
	s.Spec.Selector[LabelTemplate] = in.node(n).Spec.Template.Labels[LabelTemplate]
	return s
}

// hashOf is a hash of a pod template.
func hashOf(template *servingv1.RevisionTemplateSpec) string {
	text, _ := json.Marshal(template) // of types of Kubernetes' API: this cannot fail
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// shortcut is the Service that routes directly to a node's pod. While a changed config
// replaces the pod, it has no endpoint until the new one is ready.
func (in Input) shortcut(n v1alpha1.Node) *corev1.Service {
	s := in.wayTo(n, ShortcutName(in.Version.Name, n.Name), nodePort)
	if in.ConfigHash != "" {
		s.Spec.Selector[AnnotationConfigHash] = in.ConfigHash
	}
	return s
}

// wayTo is a Service of the pods of a node, for the entrypoint, which alone uses it.
func (in Input) wayTo(n v1alpha1.Node, name string, port int32) *corev1.Service {
	version := in.Version.Name
	own := labels(version, n.Name)
	own[LabelNode] = n.Name
	own[LabelVersionName] = EntrypointName(version)
	s := &corev1.Service{ObjectMeta: in.meta(name, own)}
	s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
	s.Spec = corev1.ServiceSpec{
		Type:            corev1.ServiceTypeClusterIP,
		SessionAffinity: corev1.ServiceAffinityNone,
		Selector:        map[string]string{serving.ServiceLabelKey: ServiceName(version, n.Name)},
		Ports: []corev1.ServicePort{
			{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(port)},
		},
	}
	return s
}
