package version

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/serving"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// observation gathers what the conditions of a running version are derived from, but for
// its workflows.
func (r *reconciler) observation(want desired, have current, done applied) observe.Input {
	v := want.version
	in := observe.Input{
		Now: have.at, StartTimeout: want.plan.settings.StartTimeout, Config: have.config,
		Serving: r.knative.Serving.Present(), Eventing: r.knative.Eventing.Present(),
		Nodes: maps.Clone(have.nodes),
		Entrypoint: observe.Entrypoint{
			Deployment: have.deployment, Addresses: want.addresses, Withheld: want.withheld, Invalid: have.problems.protos,
			Applied: done.written[target{}], Refused: done.refused[target{}],
			URL: render.ServiceURL(render.EntrypointServiceName(v.Name), v.Namespace, want.plan.settings.ClusterDomain),
		},
	}
	for _, n := range v.Spec.Nodes {
		node, t := in.Nodes[n.Name], target{Component: render.Component{Node: n.Name}}
		node.Applied, node.Refused, node.Disabled = done.written[t], done.refused[t], done.disabled[n.Name]
		node.Patience = want.plan.patience(n)
		in.Nodes[n.Name] = node
	}
	return in
}

// workflows gathers the same of its workflows. poll: a channel is not connected, and no
// watch reports when it is. A workflow of which that cannot be read counts as not created
// yet; the others are returned together with the error.
func (r *reconciler) workflows(
	ctx context.Context, want desired, have current, done applied,
) (found map[string]observe.Workflow, poll bool, err error) {
	found = map[string]observe.Workflow{}
	for _, w := range want.version.Status.Workflows {
		workflow := observe.Workflow{Sequence: have.sequences[w.Name], Invalid: have.problems.workflows[w.Name],
			Refused: done.refused[target{Component: render.Component{Workflow: w.Name}}]}
		if !w.Ready {
			err = errors.Join(err, r.handOver(ctx, workflow.Sequence))
		}
		if !w.Ready && workflow.Refused == nil && observe.SequenceReady(workflow.Sequence) {
			unconnected, failed := r.unconnected(ctx, workflow.Sequence)
			if failed != nil {
				workflow.Sequence, err = nil, errors.Join(err, failed)
			}
			workflow.Unconnected = unconnected
			poll = poll || unconnected != nil
		}
		workflow.Channel, workflow.Limit = want.channel(w.Name)
		found[w.Name] = workflow
	}
	return found, poll, err
}

// addPods reads the version's pods, for the components that are not ready and for patient nodes, and the events
// about those that report nothing themselves. unknown: too little could be read to say why something is not ready. Of a
// version that is, what could not be read about single pods is left out, and the error is returned all the same.
func (r *reconciler) addPods(ctx context.Context, v *v1alpha1.Version, ready bool, in *observe.Input) (unknown bool, err error) {
	pods, err := r.pods(ctx, v)
	if err != nil {
		return true, err
	}
	for i := range pods {
		if render.ComponentOf(&pods[i]).IsEntrypoint() {
			in.Entrypoint.Pods = append(in.Entrypoint.Pods, pods[i])
		}
	}
	podsOf(pods, in.Nodes)
	if in.Events, err = r.warnings(ctx, pods, in.Now); err != nil && !ready {
		return true, err
	}
	return false, errors.Join(err, r.addMachines(ctx, in))
}

// podsOf adds the pods of the nodes' latest Revisions to these.
func podsOf(pods []corev1.Pod, nodes map[string]observe.Node) {
	for i := range pods {
		c := render.ComponentOf(&pods[i])
		node, known := nodes[c.Node]
		if known && node.Service != nil && pods[i].Labels[serving.RevisionLabelKey] == node.Service.Status.LatestCreatedRevisionName {
			node.Pods = append(node.Pods, pods[i])
			nodes[c.Node] = node
		}
	}
}

// pods are all of the version, from the cache.
func (r *reconciler) pods(ctx context.Context, v *v1alpha1.Version) ([]corev1.Pod, error) {
	var list corev1.PodList
	own := client.MatchingLabels{render.LabelVersion: v.Name}
	err := r.client.List(ctx, &list, client.InNamespace(v.Namespace), own, client.UnsafeDisableDeepCopy)
	return list.Items, err
}

// warnings reads the events about pods that report nothing themselves, from the apiserver.
func (r *reconciler) warnings(ctx context.Context, pods []corev1.Pod, now time.Time) (map[types.UID][]corev1.Event, error) {
	found := map[types.UID][]corev1.Event{}
	for i := range pods {
		if !observe.NeedsEvents(&pods[i], now) {
			continue
		}
		var list corev1.EventList
		about := client.MatchingFields{"involvedObject.uid": string(pods[i].UID), "type": corev1.EventTypeWarning}
		if err := r.live.List(ctx, &list, client.InNamespace(pods[i].Namespace), about); err != nil {
			return found, fmt.Errorf("cannot read the events of Pod %q: %w", pods[i].Name, err)
		}
		found[pods[i].UID] = list.Items
	}
	return found, nil
}
