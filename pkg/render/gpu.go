package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/serving"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

const (
	// gpuStart is how long a pod with a GPU may take to become ready: a machine from a pool at zero
	// takes minutes, and so does a model.
	gpuStart = 20 * time.Minute
	// gpuKeep is how long the last pod with a GPU stays after its last request: it is cheaper than
	// what its next start costs.
	gpuKeep = 10 * time.Minute
	// AnnotationRetry of a node's pods identifies the machines for which a Revision was made anew,
	// after the one before had failed because there were none.
	AnnotationRetry = "krt.dev/retry"
)

// Patient reports whether a node's pods wait for a machine: it has a GPU, or a start timeout of its own.
func Patient(n v1alpha1.Node) bool { return n.GPU || scaleOf(n).StartTimeout != nil }

// StartTimeout is how long a pod of a node may take to become ready, with the time until there is
// a machine for it; 0 for the cluster's own limits.
func StartTimeout(n v1alpha1.Node) time.Duration {
	if t := scaleOf(n).StartTimeout; t != nil {
		return t.Duration
	}
	if n.GPU {
		return gpuStart
	}
	return 0
}

// LongestStart is the longest [StartTimeout] of a version's nodes.
func LongestStart(v *v1alpha1.Version) (longest time.Duration) {
	for _, n := range v.Spec.Nodes {
		longest = max(longest, StartTimeout(n))
	}
	return longest
}

// patience sets how long Knative waits for a pod, and for how long it keeps the last one.
func (in Input) patience(n v1alpha1.Node, annotations map[string]string) {
	if !in.Patient {
		return
	}
	if t := StartTimeout(n); t > 0 {
		annotations[serving.ProgressDeadlineAnnotationKey] = strconv.FormatInt(seconds(t), 10) + "s"
	}
	keep := time.Duration(0)
	if n.GPU {
		keep = gpuKeep
	}
	if own := scaleOf(n).Keep; own != nil {
		keep = own.Duration
	}
	if least, _ := in.bounds(n); keep > 0 && least == 0 {
		annotations[autoscaling.ScaleToZeroPodRetentionPeriodKey] = keep.String()
	}
	if retry := in.Retries[n.Name]; retry != "" {
		annotations[AnnotationRetry] = retry
	}
}

// GPUOf returns the resource of which a node with a GPU gets a number for itself; it is empty for other
// nodes.
func GPUOf(n v1alpha1.Node, s Settings) (name corev1.ResourceName, count int64) {
	if !n.GPU {
		return "", 0
	}
	name, count = s.GPUResource, 1
	if r := n.GPURequest; r != nil {
		if r.Resource != "" {
			name = corev1.ResourceName(r.Resource)
		}
		count = int64(first(1, r.Count))
	}
	return name, count
}

// GPUSelector are labels of the machines on which a node with a GPU runs. Those of the settings are about the
// vendor of the settings' resource: what another vendor's machines are called, its resource says.
func GPUSelector(n v1alpha1.Node, s Settings) map[string]string {
	if name, _ := GPUOf(n, s); name == "" || vendor(name) != vendor(s.GPUResource) {
		return nil
	}
	return s.GPUNodeSelector
}

func vendor(name corev1.ResourceName) string {
	domain, _, _ := strings.Cut(string(name), "/")
	return domain
}

// place chooses the machines on which a node with a GPU runs.
func (in Input) place(n v1alpha1.Node, pod *corev1.PodSpec) {
	if !n.GPU {
		return
	}
	pod.NodeSelector = maps.Clone(GPUSelector(n, in.Settings))
	pod.Tolerations = slices.Clone(in.Settings.GPUTolerations)
	name, _ := GPUOf(n, in.Settings)
	if len(pod.Tolerations) == 0 || name == in.Settings.GPUResource {
		return
	}
	// Machines are usually tainted with the name of the resource that they are for.
	pod.Tolerations = append(pod.Tolerations, corev1.Toleration{
		Key: string(name), Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule,
	})
}

// resources are the node's own, and its GPUs: as many as requests as limits, because Kubernetes refuses
// anything else.
func (in Input) resources(n v1alpha1.Node) corev1.ResourceRequirements {
	var r corev1.ResourceRequirements
	if n.Resources != nil {
		r.Requests, r.Limits = n.Resources.Requests.DeepCopy(), n.Resources.Limits.DeepCopy()
	}
	name, count := GPUOf(n, in.Settings)
	if name == "" {
		return r
	}
	for _, list := range []*corev1.ResourceList{&r.Requests, &r.Limits} {
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = *resource.NewQuantity(count, resource.DecimalSI)
	}
	return r
}
