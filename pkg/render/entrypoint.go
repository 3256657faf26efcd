package render

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	entrypointContainer = "entrypoint"
	// Where cmd/entrypoint reads its configuration, and where that says the key is.
	contentFolder = "/etc/krt"
	contentVolume = "content"
	keyFolder     = "/etc/krt-reply"
	keyVolume     = "reply"

	grpcPort, webPort, replyPort = 9000, 8080, 8081

	// leaveTime is how long a pod that is being terminated continues as before: after that,
	// every node of the cluster has removed it from the endpoints.
	leaveTime = 5 * time.Second
	// endTime is how long the process may take to exit once it has drained.
	endTime = 5 * time.Second
)

// entrypoint returns the entrypoint's objects: its Services, NetworkPolicy, with several
// replicas PodDisruptionBudget, and its shortcuts to nodes; ConfigMap and Deployment
// once every workflow has its address. The PodDisruptionBudgets of nodes are among them, because the
// state of a node does not depend on that.
func (in Input) entrypoint() ([]Object, error) {
	objects := []Object{entrypointService(in.Version.Namespace, EntrypointServiceName(in.Version.Name), in.Version.Name), in.replyService()}
	if policy := in.networkPolicy(); policy != nil {
		objects = append(objects, policy)
	}
	if in.replicas() > 1 {
		objects = append(objects, in.disruptionBudget())
	}
	for _, n := range in.Version.Spec.Nodes {
		if way := in.way(n); way != nil {
			objects = append(objects, way)
		}
		if least, _ := in.bounds(n); in.Kept && least > 1 {
			objects = append(objects, in.nodeDisruptionBudget(n))
		}
	}
	if !in.complete() {
		return objects, nil
	}
	if in.EntrypointImage == "" {
		return nil, errors.New("cannot render the entrypoint: it has no image")
	}
	if in.Version.Spec.Entrypoint.Results != nil && in.Settings.Store() == "" {
		return nil, errors.New("cannot keep results (spec.entrypoint.results): there is no store; set store-url in config-krt")
	}
	content, err := in.content()
	if err != nil {
		return nil, fmt.Errorf("cannot render the entrypoint of version %q: %w", in.Version.Name, err)
	}
	return append(objects, content.configMap(in), in.deployment(content)), nil
}

// complete reports whether all that the entrypoint's configuration needs is known.
func (in Input) complete() bool {
	if in.direct() {
		return true
	}
	for _, w := range in.Version.Spec.Workflows {
		if in.Addresses[w.Name] == "" || !in.knownChannel(w.Name) {
			return false
		}
	}
	return true
}

func (in Input) replicas() int32 {
	return first(in.Settings.EntrypointReplicas, in.Version.Spec.Entrypoint.Replicas)
}

// drainTime is how long requests in flight may continue when the entrypoint stops: each to
// its own deadline.
func (in Input) drainTime() time.Duration { return max(in.Settings.ConnectionGrace, in.limit()) }

func (in Input) deployment(c content) *appsv1.Deployment {
	version := in.Version.Name
	selector := entrypointLabels(version)
	own := labels(version, entrypointContainer)
	podLabels := maps.Clone(own)
	maps.Copy(podLabels, selector)

	d := &appsv1.Deployment{ObjectMeta: in.meta(EntrypointName(version), own)}
	d.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
	d.Spec.Replicas = new(in.replicas())
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: selector}
	d.Spec.Strategy = appsv1.DeploymentStrategy{
		Type: appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{
			MaxUnavailable: new(intstr.FromInt32(0)),
			MaxSurge:       new(intstr.FromInt32(1)),
		},
	}
	d.Spec.Template.Labels = podLabels
	d.Spec.Template.Annotations = scraped()
	d.Spec.Template.Annotations[AnnotationContentHash] = c.hash()
	if in.ReplyKey != "" {
		d.Spec.Template.Annotations[AnnotationReplyKey] = in.ReplyKey
	}
	grace := seconds(leaveTime + in.drainTime() + endTime)
	d.Spec.Template.Spec = corev1.PodSpec{
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		ImagePullSecrets:              in.pullSecrets(),
		SecurityContext:               &corev1.PodSecurityContext{RunAsNonRoot: new(true), SeccompProfile: restricted().SeccompProfile},
		TerminationGracePeriodSeconds: &grace,
		TopologySpreadConstraints:     in.spread(selector),
		Tolerations:                   in.tolerateLoss(),
		Volumes: []corev1.Volume{
			{Name: contentVolume, VolumeSource: corev1.VolumeSource{ConfigMap: c.volume(in)}},
			{Name: keyVolume, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName: ReplySecretName(version),
				Items:      []corev1.KeyToPath{{Key: ReplySecretKey, Path: ReplySecretKey}},
			}}},
		},
	}
	container := in.entrypointContainer(grace)
	if in.saves() {
		in.mountStore(&d.Spec.Template.Spec, &container, in.storeKeyOfEntrypoint())
	}
	if in.Traffic {
		mountTraffic(version, &d.Spec.Template.Spec, &container)
	}
	in.mountCold(&d.Spec.Template.Spec, &container)
	in.mountQueue(&d.Spec.Template.Spec, &container)
	in.mountAPIKeys(&d.Spec.Template.Spec, &container)
	d.Spec.Template.Spec.Containers = []corev1.Container{container}
	return d
}

// scraped are the annotations by which a Prometheus without its operator finds the pod.
func scraped() map[string]string {
	return map[string]string{
		"prometheus.io/scrape": "true", "prometheus.io/port": strconv.Itoa(replyPort), "prometheus.io/path": "/metrics",
	}
}

func (in Input) entrypointContainer(grace int64) corev1.Container {
	get := func(path string) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(replyPort)}}
	}
	port := func(name string, number int32) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: corev1.ProtocolTCP}
	}
	resources := in.Settings.entrypointResources()
	return corev1.Container{
		Name:  entrypointContainer,
		Image: in.EntrypointImage,
		Ports: []corev1.ContainerPort{port("grpc", grpcPort), port("web", webPort), port("reply", replyPort)},
		Env: append([]corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"},
		}}, memoryLimit(resources)}, in.Settings.tracing()...),
		Resources:       resources,
		SecurityContext: restricted(),
		VolumeMounts: []corev1.VolumeMount{
			{Name: contentVolume, MountPath: contentFolder, ReadOnly: true},
			{Name: keyVolume, MountPath: keyFolder, ReadOnly: true},
		},
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{
			Sleep: &corev1.SleepAction{Seconds: seconds(leaveTime)},
		}},
		// A pod that is being terminated leaves the endpoints at once, whatever its probe
		// returns. But when all pods of a Service are, Kubernetes keeps those whose probe has
		// not failed yet, and so the responses of nodes still reach an entrypoint that
		// drains: its probe must not fail before it has ended.
		ReadinessProbe: &corev1.Probe{ProbeHandler: get("/readyz"), PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: int32(grace)},
		// This restarts a process that hangs. The limits are wide: a restart loses the
		// requests in flight.
		LivenessProbe: &corev1.Probe{ProbeHandler: get("/healthz"), PeriodSeconds: 10, TimeoutSeconds: 5, FailureThreshold: 6},
	}
}

// tolerateLoss has a pod replaced half a minute after its node of the cluster was found to be lost.
// Kubernetes' default is five minutes, for what has state.
func (in Input) tolerateLoss() []corev1.Toleration {
	if !in.Kept {
		return nil
	}
	var all []corev1.Toleration
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		all = append(all, corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(30)),
		})
	}
	return all
}

// spread keeps the replicas on different nodes of the cluster where it has several.
func (in Input) spread(selector map[string]string) []corev1.TopologySpreadConstraint {
	if in.replicas() < 2 || in.Nodes < 2 {
		return nil
	}
	return []corev1.TopologySpreadConstraint{{
		MaxSkew:           1,
		TopologyKey:       corev1.LabelHostname,
		WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector:     &metav1.LabelSelector{MatchLabels: selector},
		// The pods of each rollout are spread separately.
		MatchLabelKeys: []string{appsv1.DefaultDeploymentUniqueLabelKey},
	}}
}
