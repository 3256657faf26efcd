package render

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"knative.dev/serving/pkg/apis/autoscaling"
	"knative.dev/serving/pkg/apis/serving"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render/machine"
)

// AnnotationRetry of a node's pods identifies the machines for which a Revision was made anew,
// after the one before had failed because there were none.
const AnnotationRetry = "krt.dev/retry"

// patience sets how long Knative waits for a pod, and for how long it keeps the last one.
func (in Input) patience(n v1alpha1.Node, annotations map[string]string) {
	if !in.Patient {
		return
	}
	if t := machine.StartTimeout(n); t > 0 {
		annotations[serving.ProgressDeadlineAnnotationKey] = strconv.FormatInt(seconds(t), 10) + "s"
	}
	keep := machine.Keep(n)
	if least, _ := in.bounds(n); keep > 0 && least == 0 {
		annotations[autoscaling.ScaleToZeroPodRetentionPeriodKey] = keep.String()
	}
	if retry := in.Retries[n.Name]; retry != "" {
		annotations[AnnotationRetry] = retry
	}
}

// place chooses the machines on which a node with a GPU runs.
func (in Input) place(n v1alpha1.Node, pod *corev1.PodSpec) {
	if !n.GPU {
		return
	}
	s := &in.Settings
	pod.NodeSelector = maps.Clone(machine.Selector(n, s.GPUResource, s.GPUNodeSelector))
	pod.Tolerations = slices.Clone(s.GPUTolerations)
	name, _ := machine.GPU(n, s.GPUResource)
	if len(pod.Tolerations) == 0 || name == s.GPUResource {
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
	name, count := machine.GPU(n, in.Settings.GPUResource)
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
