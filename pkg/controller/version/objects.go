package version

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// objects are what the cluster has of a version. What has the name of one of
// them and another owner is not among them.
type objects struct {
	nodes      map[string]observe.Node
	sequences  map[string]*flowsv1.Sequence
	deployment *appsv1.Deployment
}

// read reads them from the cache, Sequences as the version was started with. Pods are left for later: few versions need the look.
func (r *reconciler) read(ctx context.Context, v *v1alpha1.Version) (objects, error) {
	o := objects{nodes: map[string]observe.Node{}}
	if r.knative.Serving.Present() {
		for _, n := range v.Spec.Nodes {
			found, err := r.readNode(ctx, v, n.Name)
			if err != nil {
				return o, err
			}
			o.nodes[n.Name] = found
		}
	}
	var err error
	if o.sequences, err = r.readSequences(ctx, v, v.Status.StartedWith.Sequences); err != nil {
		return o, err
	}
	d := &appsv1.Deployment{}
	found, err := r.owned(ctx, v, render.EntrypointName(v.Name), d)
	if found {
		o.deployment = d
	}
	return o, err
}

// readSequences reads those whose names have the end.
func (r *reconciler) readSequences(ctx context.Context, v *v1alpha1.Version, end string) (map[string]*flowsv1.Sequence, error) {
	found := map[string]*flowsv1.Sequence{}
	if !r.knative.Eventing.Present() || v.Delivery() != v1alpha1.DeliverySequence {
		return found, nil
	}
	for _, w := range v.Spec.Workflows {
		s := &flowsv1.Sequence{}
		there, err := r.owned(ctx, v, render.SequenceName(v.Name, w.Name, end), s)
		if err != nil {
			return nil, err
		}
		if there {
			found[w.Name] = s
		}
	}
	return found, nil
}

func (r *reconciler) readNode(ctx context.Context, v *v1alpha1.Version, name string) (observe.Node, error) {
	s := &servingv1.Service{}
	found, err := r.owned(ctx, v, render.ServiceName(v.Name, name), s)
	if err != nil || !found {
		return observe.Node{}, err
	}
	latest := s.Status.LatestCreatedRevisionName
	if latest == "" {
		return observe.Node{Service: s}, nil
	}
	revision := &servingv1.Revision{}
	if err := r.client.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: latest}, revision); err != nil {
		return observe.Node{Service: s}, client.IgnoreNotFound(err)
	}
	return observe.Node{Service: s, Revision: revision}, nil
}

// owned gets an object, and reports whether it is there, the version's own, and to stay.
func (r *reconciler) owned(ctx context.Context, v *v1alpha1.Version, name string, into client.Object) (bool, error) {
	err := r.client.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: name}, into)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return metav1.IsControlledBy(into, v) && into.GetDeletionTimestamp() == nil, nil
}

// pods are all that the version has, from the cache.
func (r *reconciler) pods(ctx context.Context, v *v1alpha1.Version) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := r.client.List(ctx, &list, client.InNamespace(v.Namespace), client.MatchingLabels{render.LabelVersion: v.Name}, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// sort gives nodes that are not ready, and the entrypoint if it is not, their pods.
func (o *objects) sort(pods []corev1.Pod) (entrypoint []corev1.Pod) {
	for i := range pods {
		node, ok := pods[i].Labels[render.LabelNode]
		if !ok {
			entrypoint = append(entrypoint, pods[i])
			continue
		}
		found := o.nodes[node]
		if found.Service != nil && pods[i].Labels[serving.RevisionLabelKey] == found.Service.Status.LatestCreatedRevisionName {
			found.Pods = append(found.Pods, pods[i])
			o.nodes[node] = found
		}
	}
	return entrypoint
}

// warnings reads the events about pods that say nothing themselves, from the apiserver.
func (r *reconciler) warnings(ctx context.Context, pods []corev1.Pod, now time.Time) (map[types.UID][]corev1.Event, error) {
	var found map[types.UID][]corev1.Event
	for i := range pods {
		if !observe.NeedsEvents(&pods[i], now) {
			continue
		}
		var list corev1.EventList
		about := client.MatchingFields{"involvedObject.uid": string(pods[i].UID), "type": corev1.EventTypeWarning}
		if err := r.live.List(ctx, &list, client.InNamespace(pods[i].Namespace), about); err != nil {
			return nil, fmt.Errorf("cannot read the events of Pod %q: %w", pods[i].Name, err)
		}
		if found == nil {
			found = map[types.UID][]corev1.Event{}
		}
		found[pods[i].UID] = list.Items
	}
	return found, nil
}

// kinds are empty lists of the kinds of which a version may have objects. The
// Secret with the reply key is not among them: it stays as long as the version does.
func (r *reconciler) kinds() []client.ObjectList {
	lists := []client.ObjectList{&appsv1.DeploymentList{}, &policyv1.PodDisruptionBudgetList{}, &networkingv1.NetworkPolicyList{},
		&corev1.ConfigMapList{}, &corev1.ServiceList{}}
	if r.knative.Serving.Present() {
		lists = append(lists, &servingv1.ServiceList{})
	}
	if r.knative.Eventing.Present() {
		lists = append(lists, &flowsv1.SequenceList{})
	}
	return lists
}

// has reports whether the version has an object of the kinds of these lists,
// those on their way out included.
func (r *reconciler) has(ctx context.Context, v *v1alpha1.Version, lists ...client.ObjectList) (bool, error) {
	for _, list := range lists {
		own := client.MatchingFields{apply.OwnerIndex: string(v.UID)}
		if err := r.client.List(ctx, list, client.InNamespace(v.Namespace), own, client.UnsafeDisableDeepCopy); err != nil {
			return false, err
		}
		if meta.LenList(list) > 0 {
			return true, nil
		}
	}
	return false, nil
}
