package render

import (
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/serving/pkg/apis/autoscaling"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render/machine"
)

const (
	// visibilityLabel, with this value, keeps a Knative Service off the public
	// ingress (Knative networking).
	visibilityLabel   = "networking.knative.dev/visibility"
	visibilityCluster = "cluster-local"
	// fullDuplex is an annotation of revisions (Knative serving).
	fullDuplex = "features.knative.dev/http-full-duplex"
	// containerName is Knative's default, set explicitly so that no default is filled in.
	containerName = "user-container"
	// configFolder is where a node finds its config files.
	configFolder = "/krt-config"
	configVolume = "krt-config"
	// scratchFolder is the one place where a node can write: its root is read-only.
	scratchFolder = "/tmp"
	scratchVolume = "tmp"
)

// node is the Knative Service of a node: one, however many workflows use the node.
func (in Input) node(n v1alpha1.Node) *servingv1.Service {
	version := in.Version.Name
	podLabels := labels(version, n.Name)
	podLabels[LabelNode] = n.Name
	serviceLabels := maps.Clone(podLabels)
	serviceLabels[visibilityLabel] = visibilityCluster

	s := &servingv1.Service{ObjectMeta: in.meta(ServiceName(version, n.Name), serviceLabels)}
	s.SetGroupVersionKind(ServingKind())
	template := &s.Spec.Template
	template.Labels = podLabels
	template.Annotations = in.scale(n)
	in.patience(n, template.Annotations)
	// Without it, queue-proxy sometimes cuts off a response that follows its request
	// immediately: of 64 KiB, 2 to 4 in a thousand (serving v0.50), and a channel passes on
	// the rest of it.
	template.Annotations[fullDuplex] = "Enabled"
	if in.ConfigHash != "" {
		template.Annotations[AnnotationConfigHash] = in.ConfigHash
		if in.hasShortcut(n) {
			podLabels[AnnotationConfigHash] = in.ConfigHash
		}
	}
	timeout := in.nodeTimeout(n)
	template.Spec.TimeoutSeconds = &timeout
	// Knative's default of 300 s would end longer calls, because a node sends its response at once.
	template.Spec.ResponseStartTimeoutSeconds = new(timeout)
	if in.stepOfStream(n.Name) {
		// Between a Sequence's steps, a node that streams writes its response at its end: an idle
		// timeout, which a cluster may have as its default, would end it earlier.
		template.Spec.IdleTimeoutSeconds = new(timeout)
	}
	template.Spec.ContainerConcurrency = new(in.concurrency(n))
	template.Spec.PodSpec = in.nodePod(n)
	if in.callsPods(n) {
		podLabels[LabelTemplate] = hashOf(template)
	}
	// Knative's default, set explicitly: traffic that was changed by hand would make a start
	// ineffective.
	s.Spec.Traffic = []servingv1.TrafficTarget{{LatestRevision: new(true), Percent: new(int64(100))}}
	return s
}

// nodeTimeout is after how many seconds Knative ends one call of a node. The runner enforces
// a timeout of the node's own a little earlier, with an error of its own. Knative's has the start
// of a pod in it, too, which takes minutes where there must be a machine first.
func (in Input) nodeTimeout(n v1alpha1.Node) int64 {
	longest := in.longest()
	if n.Timeout != nil {
		longest = n.Timeout.Duration + nesting
		if in.LeavesStarts() {
			longest = max(longest, machine.StartTimeout(n)+nesting)
		}
	}
	return seconds(min(longest, in.Settings.RevisionTimeout))
}

// scale returns the annotations by which Knative's autoscaler follows the load.
func (in Input) scale(n v1alpha1.Node) map[string]string {
	least, most := in.bounds(n)
	annotations := map[string]string{
		// Once there are pods, requests bypass the activator.
		autoscaling.TargetBurstCapacityKey: "0",
		autoscaling.MinScaleAnnotationKey:  strconv.Itoa(int(least)),
	}
	if most > 0 {
		annotations[autoscaling.MaxScaleAnnotationKey] = strconv.Itoa(int(most))
	}
	if target := in.target(n); target > 0 {
		annotations[autoscaling.TargetAnnotationKey] = strconv.Itoa(target)
		// By default, Knative aims at 70 % of a target.
		annotations[autoscaling.TargetUtilizationPercentageKey] = "100"
	}
	return annotations
}

// bounds are the least and the largest number of pods of a node, 0 for no upper limit.
func (in Input) bounds(n v1alpha1.Node) (least, most int32) {
	scale := scaleOf(n)
	least = first(in.Settings.ScaleMin, scale.Min, n.Replicas)
	most = in.Settings.ScaleMax
	if most > 0 {
		most = max(most, least) // the node's own setting overrides the cluster's default
	}
	return least, first(most, scale.Max)
}

// scaleOf returns the scale that a node sets.
func scaleOf(n v1alpha1.Node) v1alpha1.Scale {
	if n.Scale == nil {
		return v1alpha1.Scale{}
	}
	return *n.Scale
}

// target is how many requests a pod should have in flight, 0 for Knative's default. That of
// 100 is far more than a node's workers handle at a time.
func (in Input) target(n v1alpha1.Node) int {
	if target := first(in.Settings.ScaleTarget, scaleOf(n).Target); target > 0 {
		return int(target)
	}
	if in.concurrency(n) > 0 {
		return 0
	}
	return in.workers(n)
}

// concurrency is how many requests a pod receives at most, 0 for no limit. The number of a
// Python node's workers is not such a limit: requests wait for a worker in the node, while
// Knative's queue-proxy refuses more than ten times the limit.
func (in Input) concurrency(n v1alpha1.Node) int64 {
	return first(in.Settings.ScaleConcurrency, scaleOf(n).Concurrency)
}

// workers is how many calls a node handles at a time, 0 to leave it to its runner. With a
// GPU, the cluster's setting does not apply: each worker would load the model into the GPU's
// memory by itself.
func (in Input) workers(n v1alpha1.Node) int {
	switch {
	case n.Workers != nil:
		return int(*n.Workers)
	case !python(n):
		return 0
	case n.GPU:
		return 1
	}
	return in.Settings.PythonWorkers
}

func python(n v1alpha1.Node) bool { return strings.HasSuffix(n.Src, ".py") }

func (in Input) nodePod(n v1alpha1.Node) corev1.PodSpec {
	pod := corev1.PodSpec{
		ImagePullSecrets:             in.pullSecrets(),
		AutomountServiceAccountToken: new(false),
		EnableServiceLinks:           new(false),
		Volumes: []corev1.Volume{{
			Name:         scratchVolume,
			VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		}},
	}
	container := corev1.Container{
		Name:            containerName,
		Image:           n.Image,
		Env:             in.environment(n),
		Resources:       in.resources(n),
		SecurityContext: restricted(),
		VolumeMounts:    []corev1.VolumeMount{{Name: scratchVolume, MountPath: scratchFolder}},
		ReadinessProbe:  in.nodeProbe(),
	}
	if files := in.Version.Spec.Config.Files; len(files) > 0 {
		secret := &corev1.SecretVolumeSource{SecretName: ConfigName(in.Version.Name)}
		for _, file := range files {
			secret.Items = append(secret.Items, corev1.KeyToPath{Key: file, Path: file})
		}
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: configVolume, VolumeSource: corev1.VolumeSource{Secret: secret}})
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: configVolume, MountPath: configFolder, ReadOnly: true})
	}
	in.mountStore(&pod, &container, StoreSecretNode)
	in.place(n, &pod)
	pod.Containers = []corev1.Container{container}
	return pod
}

// nodeProbe is how Knative and the kubelet learn whether a node accepts events. Without a period, queue-proxy asks the node
// every 50 ms until the first success; but the kubelet asks queue-proxy after 1 s, and again only 10 s later. Where requests
// wait for what the kubelet says, a node whose init takes longer than that first second would be ready up to 10 s late.
func (in Input) nodeProbe() *corev1.Probe {
	p := &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(0)}},
		SuccessThreshold: 1,
	}
	if in.AsksOften() {
		p.PeriodSeconds, p.TimeoutSeconds, p.FailureThreshold = 1, 10, 3
	}
	return p
}

func (in Input) pullSecrets() (secrets []corev1.LocalObjectReference) {
	for _, name := range in.Settings.ImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}

// restricted is the security context of all our containers: Pod Security "restricted", and a
// read-only root.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		RunAsNonRoot:             new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// first returns the first of values that is set, or else unset.
func first[T any](unset T, values ...*T) T {
	for _, value := range values {
		if value != nil {
			return *value
		}
	}
	return unset
}
