package apply

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: map[string]string{"ours": "true"}}
}

func (w *world) configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: w.meta(name), Data: data}
}

// podSpec has what is easily taken for a difference: quantities that are written
// in two ways, an empty value, an empty volume, defaults left out.
func podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "main", Image: "example.com/main",
			Env:   []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "EMPTY", Value: ""}},
			Ports: []corev1.ContainerPort{{ContainerPort: 9000}, {ContainerPort: 8080}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("0.5"), corev1.ResourceMemory: resource.MustParse("1024Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000m")},
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp"}},
		}},
		Volumes: []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
	}
}

func (w *world) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{ObjectMeta: w.meta(name), Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
	}}
}

func (w *world) knative(name string) *servingv1.Service {
	s := &servingv1.Service{ObjectMeta: w.meta(name)}
	spec := podSpec()
	spec.Containers[0].Name, spec.Containers[0].Ports = "", nil // as Knative lets one write it
	s.Spec.Template.Spec.PodSpec = spec
	s.Spec.Template.Spec.TimeoutSeconds = new(int64(35))
	s.Spec.Template.Annotations = map[string]string{"autoscaling.knative.dev/target-burst-capacity": "0"}
	return s
}

func (w *world) sequence(name string) *flowsv1.Sequence {
	return &flowsv1.Sequence{ObjectMeta: w.meta(name), Spec: flowsv1.SequenceSpec{
		ChannelTemplate: &messagingv1.ChannelTemplateSpec{
			TypeMeta: metav1.TypeMeta{APIVersion: "messaging.knative.dev/v1", Kind: "InMemoryChannel"},
			Spec:     &runtime.RawExtension{Raw: []byte(`{"delivery": {"retry": 3}}`)},
		},
		Steps: []flowsv1.SequenceStep{{Destination: duckv1.Destination{
			Ref: &duckv1.KReference{APIVersion: "serving.knative.dev/v1", Kind: "Service", Name: "step"},
		}}},
	}}
}

func (w *world) service(name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: w.meta(name), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name},
		Ports:    []corev1.ServicePort{{Name: "grpc", Port: 9000}, {Name: "web", Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
}

// everyKind has one object of each kind that the controller makes.
func (w *world) everyKind() []client.Object {
	selector := metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}
	return []client.Object{
		w.knative("node"), w.sequence("workflow"), w.deployment("entrypoint"), w.service("entrypoint"),
		w.configMap("entrypoint", map[string]string{"name": "", "proto": "syntax = \"proto3\";\n"}),
		&corev1.Secret{ObjectMeta: w.meta("reply"), Data: map[string][]byte{"key": {0, 1, 2}}},
		&policyv1.PodDisruptionBudget{ObjectMeta: w.meta("entrypoint"), Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)), Selector: &selector,
		}},
		&networkingv1.NetworkPolicy{ObjectMeta: w.meta("entrypoint"), Spec: networkingv1.NetworkPolicySpec{
			PodSelector: selector,
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}}},
		}},
		&networkingv1.Ingress{ObjectMeta: w.meta("active"), Spec: networkingv1.IngressSpec{
			DefaultBackend: &networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
				Name: "active", Port: networkingv1.ServiceBackendPort{Name: "grpc"},
			}},
		}},
	}
}
