package controller

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"krt.dev/kn-krt/pkg/render"
)

// trim keeps of an object in the cache what the controllers use. Those that are only observed, and of
// which there are most, lose their specs: thousands of versions fit into the controller's memory. What
// is compared with its desired form stays as it is.
func trim(object any) (any, error) {
	switch o := object.(type) {
	case *corev1.Pod:
		trimPod(o)
	case *servingv1.Revision:
		o.Spec, o.Annotations = servingv1.RevisionSpec{}, nil
	case *discoveryv1.EndpointSlice:
		o.Annotations, o.Ports = nil, nil
		for i := range o.Endpoints {
			e := &o.Endpoints[i]
			*e = discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions}
		}
	case *corev1.Node:
		// Whether pods can be scheduled on it, and its devices.
		o.Annotations, o.Status = nil, corev1.NodeStatus{Conditions: o.Status.Conditions, Allocatable: devices(o.Status.Allocatable)}
	}
	// Not every object is one: a deletion that was missed is reported as another type.
	if m, err := meta.Accessor(object); err == nil {
		m.SetManagedFields(nil)
	}
	return object, nil
}

// devices are the resources that are given to a container as a whole, such as GPUs; nil if there are none.
func devices(all corev1.ResourceList) (found corev1.ResourceList) {
	for name, quantity := range all {
		if strings.Contains(string(name), "/") {
			if found == nil {
				found = corev1.ResourceList{}
			}
			found[name] = quantity
		}
	}
	return found
}

// trimPod keeps where a pod is, its devices, its state, and what it was told.
func trimPod(p *corev1.Pod) {
	spec := corev1.PodSpec{NodeName: p.Spec.NodeName}
	for _, c := range p.Spec.Containers {
		if used := devices(c.Resources.Limits); used != nil {
			spec.Containers = append(spec.Containers, corev1.Container{Name: c.Name, Resources: corev1.ResourceRequirements{Limits: used}})
		}
	}
	p.Spec = spec
	s := &p.Status
	*s = corev1.PodStatus{Phase: s.Phase, Reason: s.Reason, Message: s.Message, PodIP: s.PodIP, Conditions: s.Conditions,
		ContainerStatuses: s.ContainerStatuses}
	told := map[string]string{}
	for _, name := range []string{render.AnnotationTraffic, render.AnnotationContentHash, render.AnnotationCold} {
		if value, ok := p.Annotations[name]; ok {
			told[name] = value
		}
	}
	p.Annotations = told
}

// LimitMemory has the garbage collector keep the process below nine tenths of a limit in bytes, as
// Kubernetes writes it; the rest is for what the collector does not know. Anything else means no limit,
// as does a GOMEMLIMIT, which Go reads itself.
func LimitMemory(limit string) {
	if n, err := strconv.ParseInt(limit, 10, 64); err == nil && n > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(n - n/10)
	}
}
