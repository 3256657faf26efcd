package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"knative.dev/serving/pkg/apis/autoscaling"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// visibilityLabel, with this value, keeps a Knative Service off the public
	// ingress (Knative networking).
	visibilityLabel   = "networking.knative.dev/visibility"
	visibilityCluster = "cluster-local"
	// fullDuplex is an annotation of revisions (Knative serving).
	fullDuplex = "features.knative.dev/http-full-duplex"
	// containerName is Knative's default, written down so that nothing is left to fill in.
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
	s.SetGroupVersionKind(servingv1.SchemeGroupVersion.WithKind("Service"))
	template := &s.Spec.Template
	template.Labels = podLabels
	template.Annotations = in.scale(n)
	// Without it queue-proxy cuts off an answer now and then that comes as soon as its
	// request has been sent: of 64 KiB, 2 to 4 in a thousand (serving v0.50), and a
	// channel passes on what is left of it.
	template.Annotations[fullDuplex] = "Enabled"
	if in.ConfigHash != "" {
		template.Annotations[AnnotationConfigHash] = in.ConfigHash
		if in.hasShortcut(n) {
			podLabels[AnnotationConfigHash] = in.ConfigHash
		}
	}
	timeout := in.nodeTimeout(n)
	template.Spec.TimeoutSeconds = &timeout
	// Knative's default of 300 s would end longer calls, for a node answers all at once.
	template.Spec.ResponseStartTimeoutSeconds = new(timeout)
	template.Spec.ContainerConcurrency = new(in.concurrency(n))
	template.Spec.PodSpec = in.nodePod(n)
	// Knative's default, written down: who shifts traffic by hand would undo a start.
	s.Spec.Traffic = []servingv1.TrafficTarget{{LatestRevision: new(true), Percent: new(int64(100))}}
	return s
}

// nodeTimeout is after how many seconds Knative ends one call of a node. The
// runner keeps a timeout of the node's own, and says so, a little before.
func (in Input) nodeTimeout(n v1alpha1.Node) int64 {
	longest := in.longest()
	if n.Timeout != nil {
		longest = n.Timeout.Duration + nesting
	}
	return seconds(min(longest, in.Settings.RevisionTimeout))
}

// scale returns the annotations by which Knative's autoscaler follows the load.
func (in Input) scale(n v1alpha1.Node) map[string]string {
	least, most := in.bounds(n)
	annotations := map[string]string{
		// Once there are pods, requests go to them without passing the activator.
		autoscaling.TargetBurstCapacityKey: "0",
		autoscaling.MinScaleAnnotationKey:  strconv.Itoa(int(least)),
	}
	if most > 0 {
		annotations[autoscaling.MaxScaleAnnotationKey] = strconv.Itoa(int(most))
	}
	if target := in.target(n); target > 0 {
		annotations[autoscaling.TargetAnnotationKey] = strconv.Itoa(target)
		// Knative aims at 70 % of a target unless told that the number is meant.
		annotations[autoscaling.TargetUtilizationPercentageKey] = "100"
	}
	return annotations
}

// bounds are the least and the most pods of a node, 0 for no upper bound.
func (in Input) bounds(n v1alpha1.Node) (least, most int32) {
	scale := said(n)
	least = first(in.Settings.ScaleMin, scale.Min, n.Replicas)
	most = in.Settings.ScaleMax
	if most > 0 {
		most = max(most, least) // the cluster's default gives way to what the node asks for
	}
	return least, first(most, scale.Max)
}

// said is what a node says about its scale.
func said(n v1alpha1.Node) v1alpha1.Scale {
	if n.Scale == nil {
		return v1alpha1.Scale{}
	}
	return *n.Scale
}

// target is how many requests a pod should have in flight, 0 for Knative's
// default. That of 100 is far from what a node's workers take at once.
func (in Input) target(n v1alpha1.Node) int {
	if target := first(in.Settings.ScaleTarget, said(n).Target); target > 0 {
		return int(target)
	}
	if in.concurrency(n) > 0 {
		return 0
	}
	return in.workers(n)
}

// concurrency is how many requests a pod gets at most, 0 for no bound. A Python
// node's workers are no such bound: its front lets requests wait for a worker,
// where Knative's queue-proxy refuses what is more than ten times the bound.
func (in Input) concurrency(n v1alpha1.Node) int64 {
	return first(in.Settings.ScaleConcurrency, said(n).Concurrency)
}

// workers is how many calls a node works on at once, 0 to leave it to its runner.
// With a GPU the cluster's setting does not hold: each worker would have the model
// in the GPU's memory for itself.
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
		ReadinessProbe: &corev1.Probe{
			// Without a period, queue-proxy asks every 50 ms until the first yes.
			ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(0)}},
			SuccessThreshold: 1,
		},
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
	if n.GPU {
		pod.NodeSelector = maps.Clone(in.Settings.GPUNodeSelector)
		pod.Tolerations = slices.Clone(in.Settings.GPUTolerations)
	}
	pod.Containers = []corev1.Container{container}
	return pod
}

// resources are what the node asks for, and one GPU.
func (in Input) resources(n v1alpha1.Node) corev1.ResourceRequirements {
	var r corev1.ResourceRequirements
	if n.Resources != nil {
		r.Requests, r.Limits = n.Resources.Requests.DeepCopy(), n.Resources.Limits.DeepCopy()
	}
	if !n.GPU {
		return r
	}
	for _, list := range []*corev1.ResourceList{&r.Requests, &r.Limits} {
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[in.Settings.GPUResource] = *resource.NewQuantity(1, resource.DecimalSI)
	}
	return r
}

func (in Input) pullSecrets() (secrets []corev1.LocalObjectReference) {
	for _, name := range in.Settings.ImagePullSecrets {
		secrets = append(secrets, corev1.LocalObjectReference{Name: name})
	}
	return secrets
}

// restricted is the security context of every container of ours: Pod Security
// "restricted", and a root that cannot be written to.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		RunAsNonRoot:             new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// first returns the first of said that is there, else unset.
func first[T any](unset T, said ...*T) T {
	for _, s := range said {
		if s != nil {
			return *s
		}
	}
	return unset
}
