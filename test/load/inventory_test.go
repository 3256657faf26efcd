package load_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// kinds are what a version is made of, down to what Knative makes for it.
func kinds() []schema.GroupVersionKind {
	var all []schema.GroupVersionKind
	for group, names := range map[schema.GroupVersion][]string{
		{Version: "v1"}:                                                  {"Pod", "Service", "ConfigMap", "Secret"},
		{Group: "apps", Version: "v1"}:                                   {"Deployment"},
		{Group: "policy", Version: "v1"}:                                 {"PodDisruptionBudget"},
		{Group: "networking.k8s.io", Version: "v1"}:                      {"NetworkPolicy"},
		{Group: "krt.dev", Version: "v1alpha1"}:                          {"Version"},
		{Group: "serving.knative.dev", Version: "v1"}:                    {"Service", "Configuration", "Revision", "Route"},
		{Group: "autoscaling.internal.knative.dev", Version: "v1alpha1"}: {"PodAutoscaler", "Metric"},
		{Group: "networking.internal.knative.dev", Version: "v1alpha1"}:  {"ServerlessService", "Ingress"},
		{Group: "flows.knative.dev", Version: "v1"}:                      {"Sequence"},
		{Group: "messaging.knative.dev", Version: "v1"}:                  {"Subscription", "InMemoryChannel"},
	} {
		for _, name := range names {
			all = append(all, group.WithKind(name))
		}
	}
	return all
}

// inventory is how many objects there are of each kind and name; of pods, which
// have names by chance, for each owner. A pod that has the time to end still does not count.
func (p place) inventory(ctx context.Context) (map[string]int, error) {
	all := map[string]int{}
	for _, kind := range kinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind)
		if err := p.client.List(ctx, list, client.InNamespace(p.Name)); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			// Of a pod, that is when its grace ends.
			if kind.Kind == "Pod" && item.DeletionTimestamp != nil && item.DeletionTimestamp.After(time.Now()) {
				continue
			}
			name := item.Name
			if owner := metav1.GetControllerOf(&item); kind.Kind == "Pod" && owner != nil {
				name = "of " + owner.Name
			}
			all[kind.GroupKind().String()+" "+name]++
		}
	}
	return all, nil
}

// leftOver waits until there are no more objects than before, and returns those
// that stay.
func (p place) leftOver(ctx context.Context, before map[string]int) (more []string, err error) {
	err = until(ctx, func() error {
		now, err := p.inventory(ctx)
		if err != nil {
			return err
		}
		more = nil
		for _, object := range slices.Sorted(maps.Keys(now)) {
			if now[object] > before[object] {
				more = append(more, object)
			}
		}
		if len(more) > 0 {
			return fmt.Errorf("left over: %v", more)
		}
		return nil
	})
	if len(more) > 0 {
		err = nil // they are the answer
	}
	return more, err
}

// whole waits until each Deployment and StatefulSet of the namespaces has its pods, and each
// version its condition Ready.
func (p place) whole(ctx context.Context) error {
	return until(ctx, func() error {
		var errs []error
		for _, namespace := range []string{p.Name, "knative-eventing", "knative-serving", "krt-system"} {
			errs = append(errs, p.wholeIn(ctx, namespace))
		}
		var versions v1alpha1.VersionList
		errs = append(errs, p.client.List(ctx, &versions, client.InNamespace(p.Name)))
		for i := range versions.Items {
			if v := &versions.Items[i]; !v.IsReady() {
				errs = append(errs, fmt.Errorf("version %s is %s", v.Name, v.Status.Phase))
			}
		}
		return errors.Join(errs...)
	})
}

func (p place) wholeIn(ctx context.Context, namespace string) error {
	var deployments appsv1.DeploymentList
	var sets appsv1.StatefulSetList
	in := client.InNamespace(namespace)
	err := errors.Join(p.client.List(ctx, &deployments, in), p.client.List(ctx, &sets, in))
	for i := range deployments.Items {
		d := &deployments.Items[i]
		err = errors.Join(err, p.havePods(ctx, d, d.Spec.Selector.MatchLabels, *d.Spec.Replicas))
	}
	for i := range sets.Items {
		s := &sets.Items[i]
		err = errors.Join(err, p.havePods(ctx, s, s.Spec.Selector.MatchLabels, *s.Spec.Replicas))
	}
	return err
}

func (p place) havePods(ctx context.Context, of client.Object, labels map[string]string, wanted int32) error {
	pods, err := p.pods(ctx, of.GetNamespace(), labels)
	if err != nil {
		return err
	}
	ready := len(slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !podReady(&pod) }))
	if ready < int(wanted) {
		return fmt.Errorf("%s has %d ready pods of %d", of.GetName(), ready, wanted)
	}
	return nil
}

func (p place) pods(ctx context.Context, namespace string, labels map[string]string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := p.client.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(labels))
	return pods.Items, err
}

func podReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
