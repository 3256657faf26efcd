package version

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// current is what the cluster has of a version. An object that has one of its names and
// another owner is not part of it.
type current struct {
	at         time.Time // when it was read
	config     observe.Config
	problems   problems
	nodes      map[string]observe.Node
	sequences  map[string]*flowsv1.Sequence // as the version was started with
	deployment *appsv1.Deployment
}

// read reads it from the cache. Pods are left for later: few versions need them.
func (r *reconciler) read(ctx context.Context, v *v1alpha1.Version, config observe.Config, now time.Time) (c current, err error) {
	c = current{at: now, config: config, nodes: map[string]observe.Node{}}
	if c.problems, err = r.check(ctx, v); err != nil {
		return c, err
	}
	if r.knative.Serving.Present() {
		for _, n := range v.Spec.Nodes {
			if c.nodes[n.Name], err = r.readNode(ctx, v, n.Name); err != nil {
				return c, err
			}
		}
	}
	if c.sequences, err = r.readSequences(ctx, v, v.Status.StartedWith.Sequences); err != nil {
		return c, err
	}
	d := &appsv1.Deployment{}
	found, err := r.readOwned(ctx, v, render.EntrypointName(v.Name), d)
	if found {
		c.deployment = d
	}
	return c, err
}

// ready reports whether nodes and entrypoint are ready, so that their pods need not be read.
func (c current) ready() bool {
	for _, n := range c.nodes {
		if n.Service == nil || !n.Service.IsReady() {
			return false
		}
	}
	return c.deployment != nil && observe.DeploymentReady(c.deployment)
}

// readSequences reads the Sequences whose names have the suffix, by workflow.
func (r *reconciler) readSequences(ctx context.Context, v *v1alpha1.Version, suffix string) (map[string]*flowsv1.Sequence, error) {
	found := map[string]*flowsv1.Sequence{}
	if !r.knative.Eventing.Present() || v.Delivery() != v1alpha1.DeliverySequence {
		return found, nil
	}
	for _, w := range v.Spec.Workflows {
		s := &flowsv1.Sequence{}
		exists, err := r.readOwned(ctx, v, render.SequenceName(v.Name, w.Name, suffix), s)
		if err != nil {
			return nil, err
		}
		if exists {
			found[w.Name] = s
		}
	}
	return found, nil
}

func (r *reconciler) readNode(ctx context.Context, v *v1alpha1.Version, name string) (observe.Node, error) {
	s := &servingv1.Service{}
	found, err := r.readOwned(ctx, v, render.ServiceName(v.Name, name), s)
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

// readOwned reads an object, and reports whether it exists, belongs to the version, and
// is not being deleted.
func (r *reconciler) readOwned(ctx context.Context, v *v1alpha1.Version, name string, into client.Object) (bool, error) {
	err := r.client.Get(ctx, types.NamespacedName{Namespace: v.Namespace, Name: name}, into)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return isOwned(v, into), nil
}

// isOwned reports whether an object belongs to the version, and is not being deleted.
func isOwned(v *v1alpha1.Version, o client.Object) bool {
	return metav1.IsControlledBy(o, v) && o.GetDeletionTimestamp() == nil
}
