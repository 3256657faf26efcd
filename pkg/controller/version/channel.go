package version

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/channel"
	"krt.dev/kn-krt/pkg/observe"
	"krt.dev/kn-krt/pkg/render"
)

// unconnected returns the first channel of a ready Sequence that does not deliver yet what it
// accepts; nil if there is none. A kind that cannot be read counts as connected: the
// Sequence is ready.
func (r *reconciler) unconnected(ctx context.Context, s *flowsv1.Sequence) (*observe.Channel, error) {
	for _, status := range s.Status.ChannelStatuses {
		known := status.Channel
		object, err := r.readChannel(ctx, s.Namespace, known.APIVersion, known.Kind, known.Name)
		switch {
		case apierrors.IsNotFound(err): // it is about to be created again
			return &observe.Channel{Kind: known.Kind, Name: known.Name}, nil
		case err != nil:
			return nil, err
		case object == nil:
			continue
		case !channel.Connected(object.Object):
			return &observe.Channel{Kind: known.Kind, Name: known.Name}, nil
		}
	}
	return nil, nil
}

// readChannel reads a channel from the apiserver: nothing watches channels. It returns nil if
// the controller is not allowed to read the kind, or it does not exist.
func (r *reconciler) readChannel(ctx context.Context, namespace, apiVersion, kind, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	err := r.live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, object)
	switch {
	case apierrors.IsForbidden(err), meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the %s %q: %w", kind, name, err)
	}
	return object, nil
}

// becameChannels returns the kinds that the channels of Sequences have become, by workflow,
// if their template leaves that to the cluster. What is known already stays: a channel
// never becomes another.
func (r *reconciler) becameChannels(
	ctx context.Context, v *v1alpha1.Version, sequences map[string]*flowsv1.Sequence, live bool,
) (map[string]string, error) {
	became := map[string]string{}
	for _, w := range v.Status.Workflows {
		s := sequences[w.Name]
		if live && w.Channel != "" && (s == nil || w.Address == observe.SequenceAddress(s)) {
			became[w.Name] = w.Channel
			continue
		}
		if s == nil || len(s.Status.ChannelStatuses) == 0 || !delegates(s.Spec.ChannelTemplate) {
			continue
		}
		first := s.Status.ChannelStatuses[0].Channel
		object, err := r.readChannel(ctx, s.Namespace, first.APIVersion, first.Kind, first.Name)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, err
		case object == nil: // the least that it may be
			became[w.Name] = channel.Default().String()
		default:
			became[w.Name] = channel.Became(object.Object)
		}
	}
	return became, nil
}

// delegates reports whether a template leaves to the cluster which kind its channels become.
func delegates(t *messagingv1.ChannelTemplateSpec) bool {
	return t != nil && channel.Of(t.APIVersion, t.Kind, nil).Delegates
}

// createChannelsOf is createChannels for an object that may be a Sequence.
func (r *reconciler) createChannelsOf(ctx context.Context, v *v1alpha1.Version, o client.Object) error {
	if s, isSequence := o.(*flowsv1.Sequence); isSequence {
		return r.createChannels(ctx, v, s)
	}
	return nil
}

// createChannels creates the channels of a Sequence that does not exist yet, if they have
// annotations: Knative Eventing creates channels without, uses those that exist, and reads
// annotations once. They belong to the version until [reconciler.handOver].
func (r *reconciler) createChannels(ctx context.Context, v *v1alpha1.Version, s *flowsv1.Sequence) error {
	annotations, err := render.ChannelAnnotations(s.Annotations[render.AnnotationChannel])
	if err != nil || annotations == nil {
		return err
	}
	err = r.client.Get(ctx, client.ObjectKeyFromObject(s), &flowsv1.Sequence{})
	if err == nil || !apierrors.IsNotFound(err) {
		return err
	}
	for i := range s.Spec.Steps {
		object := &unstructured.Unstructured{}
		if template := s.Spec.ChannelTemplate; template.Spec != nil {
			spec := map[string]any{}
			if err := json.Unmarshal(template.Spec.Raw, &spec); err != nil {
				return fmt.Errorf("cannot read the spec of the channel template: %w", err)
			}
			object.Object = map[string]any{"spec": spec}
		}
		object.SetAPIVersion(s.Spec.ChannelTemplate.APIVersion)
		object.SetKind(s.Spec.ChannelTemplate.Kind)
		object.SetName(render.ChannelName(s.Name, i))
		object.SetNamespace(s.Namespace)
		object.SetLabels(s.Labels)
		object.SetAnnotations(annotations)
		object.SetOwnerReferences([]metav1.OwnerReference{ownerOf(v1alpha1.GroupVersion.String(), "Version", v)})
		err := r.client.Create(ctx, object, client.FieldOwner(apply.Manager))
		if apierrors.IsAlreadyExists(err) {
			err = r.mayUse(ctx, v, object)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayUse returns why a Sequence must not find the channel that exists under the name of the given one: it
// is that of a Sequence that is gone, and goes as well. Knative Eventing would create it again, without
// annotations.
func (r *reconciler) mayUse(ctx context.Context, v *v1alpha1.Version, wanted *unstructured.Unstructured) error {
	there, err := r.readChannel(ctx, wanted.GetNamespace(), wanted.GetAPIVersion(), wanted.GetKind(), wanted.GetName())
	if err != nil || there == nil {
		return err
	}
	owner := metav1.GetControllerOf(there)
	if there.GetDeletionTimestamp() == nil && (owner == nil || owner.UID == v.UID) {
		return nil
	}
	return fmt.Errorf("the %s %q is still that of a Sequence that was deleted", there.GetKind(), there.GetName())
}

// handOver makes a Sequence, nil if there is none, the owner of the channels that the controller has created for it, so
// that they are deleted with it.
func (r *reconciler) handOver(ctx context.Context, s *flowsv1.Sequence) error {
	if s == nil || s.Annotations[render.AnnotationChannel] == "" {
		return nil
	}
	template, kind := s.Spec.ChannelTemplate, render.EventingKind().Kind
	for i := range s.Spec.Steps {
		object, err := r.readChannel(ctx, s.Namespace, template.APIVersion, template.Kind, render.ChannelName(s.Name, i))
		switch owner := controllerOf(object); {
		case apierrors.IsNotFound(err), err == nil && (owner == nil || owner.Kind == kind):
			continue
		case err != nil:
			return err
		}
		after := object.DeepCopy()
		after.SetOwnerReferences([]metav1.OwnerReference{ownerOf(flowsv1.SchemeGroupVersion.String(), kind, s)})
		if err := r.client.Patch(ctx, after, client.MergeFrom(object), client.FieldOwner(apply.Manager)); err != nil {
			return err
		}
	}
	return nil
}

// controllerOf returns the owner of an object, which may be nil.
func controllerOf(object *unstructured.Unstructured) *metav1.OwnerReference {
	if object == nil {
		return nil
	}
	return metav1.GetControllerOf(object)
}

// ownerOf refers to the object as a controller. It blocks no deletion: that would need rights on its finalizers.
func ownerOf(apiVersion, kind string, o metav1.Object) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: apiVersion, Kind: kind, Name: o.GetName(), UID: o.GetUID(), Controller: new(true)}
}
