package version

import (
	"cmp"
	"context"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// desired renders the version. That it cannot be rendered is a cause, and no item.
// Without a key the entrypoint's Deployment stays as it is.
func (r *reconciler) desired(ctx context.Context, a *attempt, key string) (items []item, err error) {
	with := *a.version.Status.StartedWith
	in := render.Input{Version: a.version, Settings: a.settings, Sequences: with.Sequences, EntrypointImage: with.EntrypointImage,
		Addresses: a.addresses(), ConfigHash: a.config.Hash, ReplyKey: key}
	if in.Nodes, err = r.clusterNodes(ctx, a); err != nil {
		return nil, err
	}
	flags, err := features(ctx, r.client)
	if err != nil {
		return nil, err
	}
	services, failed := render.Nodes(in)
	sequences, failedToo := render.Sequences(in)
	entrypoint, failedThree := render.Entrypoint(in)
	if failed = cmp.Or(failed, failedToo, failedThree); failed != nil {
		a.outcome.causes[piece{}] = &observe.Cause{Reason: v1alpha1.ReasonInvalid, Message: failed.Error()}
		services, sequences, entrypoint, a.next = nil, nil, nil, nil
	}
	items = r.nodeItems(a, services, flags)
	spec := content(a.version)
	mark(items, made(with, with.Settings, spec, in.ConfigHash))
	items = append(items, r.sequenceItems(a, sequences, with, false)...)
	if a.next != nil {
		in.Settings, in.Sequences = render.SettingsOf(a.next.with.Settings), a.next.with.Sequences
		if sequences, err = render.Sequences(in); err == nil { // else what serves is wrong too, and told
			items = append(items, r.sequenceItems(a, sequences, a.next.with, true)...)
		}
	}
	own := entrypointItems(a, entrypoint, key)
	mark(own, made(with, with.Settings, spec, in.ConfigHash, in.ReplyKey, in.Addresses, in.Nodes))
	return append(items, own...), nil
}

// mark says on the items what they are made of.
func mark(items []item, of string) {
	for _, one := range items {
		annotations := maps.Clone(one.object.GetAnnotations())
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[apply.MadeAnnotation] = of
		one.object.SetAnnotations(annotations)
	}
}

func (r *reconciler) sequenceItems(a *attempt, sequences []*flowsv1.Sequence, with v1alpha1.StartedWith, beside bool) (items []item) {
	for i, s := range sequences {
		p := piece{workflow: a.version.Spec.Workflows[i].Name, beside: beside}
		items = append(items, item{piece: p, object: s, leave: !r.knative.Eventing.Present()})
	}
	mark(items, made(with, sequenceContent(a.version)))
	return items
}

// entrypointItems are without a Deployment while that is withheld.
func entrypointItems(a *attempt, entrypoint []render.Object, key string) (items []item) {
	for _, object := range entrypoint {
		_, isDeployment := object.(*appsv1.Deployment)
		if isDeployment && a.withheld {
			continue
		}
		items = append(items, item{object: object, leave: isDeployment && key == ""})
	}
	return items
}

// nodeItems are left as they are where Knative would refuse them, and while
// config values are missing without which new pods could not start.
func (r *reconciler) nodeItems(a *attempt, services []*servingv1.Service, flags map[string]string) (items []item) {
	for i, s := range services {
		name := a.version.Spec.Nodes[i].Name
		missing := missingFlags(s, flags)
		if missing != nil {
			a.outcome.flags[name] = missing
		}
		leave := missing != nil || !a.config.Ready || !r.knative.Serving.Present()
		items = append(items, item{piece: piece{node: name}, object: s, leave: leave})
	}
	return items
}

// clusterNodes counts the cluster's nodes that take pods, as far as it matters:
// only of several replicas is it asked whether there is more than one.
func (r *reconciler) clusterNodes(ctx context.Context, a *attempt) (int, error) {
	replicas := a.settings.EntrypointReplicas
	if said := a.version.Spec.Entrypoint.Replicas; said != nil {
		replicas = *said
	}
	if replicas < 2 {
		return 0, nil
	}
	var list corev1.NodeList
	if err := r.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return 0, err
	}
	count := 0
	for i := range list.Items {
		if schedulable(&list.Items[i]) {
			count++
		}
	}
	return min(count, 2), nil
}
