package version

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// target is what an object belongs to: a component, as it serves or as a restart
// prepares it next to that.
type target struct {
	render.Component
	next bool
}

// item is one desired object.
type item struct {
	target
	object render.Object
	// frozen: the object stays as it is, neither written nor deleted.
	frozen bool
	// anew: the object is written also if another kn-krt has made the one that there is of the same.
	anew bool
	// disabled are the feature flags of Knative without which it refuses the object.
	disabled []string
}

// cluster is what the cluster allows objects to be.
type cluster struct {
	serving, eventing bool              // installed
	features          map[string]string // Knative's flags
	nodes             int               // on which pods can be scheduled, as far as it matters
}

// cluster reads what a version with the settings depends on.
func (r *reconciler) cluster(ctx context.Context, want desired) (c cluster, err error) {
	c = cluster{serving: r.knative.Serving.Present(), eventing: r.knative.Eventing.Present()}
	if c.nodes, err = r.clusterNodes(ctx, want); err == nil {
		c.features, err = features(ctx, r.client)
	}
	return c, err
}

// items renders the version. Nodes are frozen where Knative would refuse them, and while
// config values are missing without which new pods could not start, and with them the Services that select
// their pods; the entrypoint's Deployment is while the key is not known. The error is what needs a person.
func (d desired) items(c cluster, config observe.Config, key string) ([]item, error) {
	v, with := d.version, d.plan.with
	in := render.Input{Version: v, Settings: d.plan.settings, SequenceSuffix: with.Sequences,
		EntrypointImage: with.EntrypointImage, Addresses: d.addresses, Channels: d.channels, ConfigHash: config.Hash, ReplyKey: key,
		Nodes: c.nodes, StoreSecret: with.StoreSecret, QueueSecret: with.QueueSecret, Retries: d.retries,
		Streams: d.plan.streams, Abilities: with.Abilities}
	objects, err := render.Objects(in)
	if err != nil {
		return nil, err
	}
	nodeOf := []any{with.Settings, content(v), in.ConfigHash}
	entrypointOf := append(slices.Clone(nodeOf), in.ReplyKey, in.Addresses, in.Nodes)
	entrypointOf = append(entrypointOf, d.channelContent(in)...)
	if with.StoreSecret != "" { // without it, what another kn-krt has made is the same
		nodeOf, entrypointOf = append(nodeOf, with.StoreSecret), append(entrypointOf, with.StoreSecret)
	}
	entrypointOf = append(entrypointOf, queueContent(with)...)
	nodes, entrypoint, sequences := madeOf(with, nodeOf...), madeOf(with, entrypointOf...), madeOf(with, sequenceContent(v))
	var items []item
	frozen := map[string]bool{} // nodes
	for _, o := range objects {
		one, made := item{target: target{Component: render.ComponentOf(o)}, object: o}, entrypoint
		_, isDeployment := o.(*appsv1.Deployment)
		switch {
		case isDeployment && d.withheld:
			continue
		case one.Node != "":
			one.disabled, made = disabledFeatures(o, c.features), nodes
			one.frozen = one.disabled != nil || !config.Ready || !c.serving
			frozen[one.Node] = one.frozen
		case one.Workflow != "":
			one.frozen, made = !c.eventing, sequences
		default:
			one.frozen = isDeployment && key == "" || frozen[o.GetLabels()[render.LabelNode]]
		}
		items = append(items, one.stamped(made+d.retryOf(o)))
	}
	return append(items, d.nextItems(c, in)...), nil
}

// retryOf is what an object is made of besides because its node's Revision is made anew, as are the pods to which a
// Service of that node leads: nothing else of the version changes then.
func (d desired) retryOf(o render.Object) string {
	if retry := d.retries[o.GetLabels()[render.LabelNode]]; retry != "" {
		return "-" + retry
	}
	return ""
}

// channelContent is what the entrypoint is made of besides, because of what its channels have become:
// nothing where the template names their kind, where there are none, or where an older kn-krt has
// started the version, whose objects stay.
func (d desired) channelContent(in render.Input) []any {
	t := in.ChannelTemplate()
	if !d.plan.with.Kept || len(d.channels) == 0 || !channel.Of(t.APIVersion, t.Kind, t.Annotations).Delegates {
		return nil
	}
	return []any{d.channels}
}

// channel returns the kind of the channels of a workflow's Sequence, empty while it is not
// known, and what may become a problem with them.
func (d desired) channel(workflow string) (kind, limit string) {
	in := render.Input{Version: d.version, Settings: d.plan.settings, Channels: d.channels}
	if d.version.Delivery() != v1alpha1.DeliverySequence {
		return "", ""
	}
	k := in.Channel(workflow)
	if k.Delegates {
		return "", ""
	}
	return k.String(), in.CheckLimit(workflow)
}

// nextItems are the Sequences of a restart that is being prepared.
func (d desired) nextItems(c cluster, in render.Input) (items []item) {
	next := d.plan.next
	if next == nil {
		return nil
	}
	in.Settings, in.SequenceSuffix, in.Abilities = render.SettingsOf(next.with.Settings), next.with.Sequences, next.with.Abilities
	sequences, _ := render.Sequences(in) // they cannot fail but together with those in use
	for _, s := range sequences {
		one := item{target: target{Component: render.ComponentOf(s), next: true}, object: s, frozen: !c.eventing}
		items = append(items, one.stamped(madeOf(next.with, sequenceContent(d.version))))
	}
	return items
}

// stamped annotates the object with what it is made of.
func (i item) stamped(made string) item {
	annotations := i.object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[apply.MadeAnnotation] = made
	i.object.SetAnnotations(annotations)
	return i
}

// clusterNodes counts the cluster's nodes on which pods can be scheduled, as far as it
// matters: only for several replicas, whether there is more than one; and only for a version that
// an older kn-krt has started. The replicas of others are spread over what there is: where one of two
// nodes is drained, that replaces no pod of the other.
func (r *reconciler) clusterNodes(ctx context.Context, want desired) (int, error) {
	replicas := want.plan.settings.EntrypointReplicas
	if own := want.version.Spec.Entrypoint.Replicas; own != nil {
		replicas = *own
	}
	if replicas < 2 {
		return 0, nil
	}
	if want.plan.with.Kept {
		return 2, nil
	}
	var list corev1.NodeList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return 0, err
	}
	count := 0
	for i := range list.Items {
		if observe.Schedulable(&list.Items[i]) {
			count++
		}
	}
	return min(count, 2), nil
}
