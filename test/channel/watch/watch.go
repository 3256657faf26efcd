// Package watch keeps a dispatcher up to date with the TestChannels of a cluster, and their status
// with what the dispatcher serves.
package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"krt.dev/kn-krt/test/channel"
)

// kind is the kind of the tests' channels.
var kind = schema.GroupVersionKind{Group: "messaging.krt.test", Version: "v1", Kind: "TestChannel"}

// Add has a manager keep the dispatcher up to date. Base is the dispatcher's own address. Once all
// channels that exist are known, synced is called.
func Add(m manager.Manager, d *channel.Dispatcher, base string, synced func()) error {
	r := &reconciler{m.GetClient(), d, base}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	if err := ctrl.NewControllerManagedBy(m).For(object).Complete(r); err != nil {
		return err
	}
	return m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := m.GetClient().List(ctx, list); err != nil {
			return err
		}
		for i := range list.Items {
			// A mistake is reported in the channel's status, by its reconciliation.
			if c, err := read(&list.Items[i]); err == nil {
				_ = d.Set(c)
			}
		}
		d.RemoveUnknown()
		synced()
		return nil
	}))
}

type reconciler struct {
	client client.Client
	d      *channel.Dispatcher
	base   string
}

// Reconcile has the dispatcher serve a channel, and only then reports that it does.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := r.client.Get(ctx, request.NamespacedName, object)
	if apierrors.IsNotFound(err) || err == nil && object.GetDeletionTimestamp() != nil {
		r.d.Remove(channel.Key{Namespace: request.Namespace, Name: request.Name})
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	c, mistake := read(object)
	if mistake == nil {
		mistake = r.d.Set(c)
	}
	before := object.DeepCopy()
	if err := setStatus(object, c, r.base, mistake); err != nil {
		return ctrl.Result{}, err
	}
	if reflect.DeepEqual(before.Object["status"], object.Object["status"]) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.client.Status().Patch(ctx, object, client.MergeFrom(before)))
}

// read reads what the dispatcher must know of a channel.
func read(object *unstructured.Unstructured) (channel.Channel, error) {
	c := channel.Channel{Key: channel.Key{Namespace: object.GetNamespace(), Name: object.GetName()}}
	text, err := json.Marshal(object.Object["spec"])
	if err != nil {
		return c, err
	}
	var spec struct {
		Subscribers []channel.Subscriber `json:"subscribers"`
		Faults      channel.Faults       `json:"faults"`
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return c, fmt.Errorf("spec: %w", err)
	}
	c.Subscribers, c.Faults = spec.Subscribers, spec.Faults
	return c, nil
}

// setStatus sets the status that Knative's duck type Channelable has.
func setStatus(object *unstructured.Unstructured, c channel.Channel, base string, mistake error) error {
	ready := map[string]any{"type": "Ready", "status": "True"}
	if mistake != nil {
		ready = map[string]any{"type": "Ready", "status": "False", "reason": "Invalid", "message": mistake.Error()}
	}
	ready["lastTransitionTime"] = time.Now().UTC().Format(time.RFC3339)
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, condition := range conditions {
		if old, ok := condition.(map[string]any); ok && old["status"] == ready["status"] && old["message"] == ready["message"] {
			ready = old
		}
	}
	address := map[string]any{"name": "http", "url": base + "/" + c.Namespace + "/" + c.Name}
	subscribers := []any{}
	for _, s := range c.Subscribers {
		subscribers = append(subscribers, map[string]any{"uid": s.UID, "observedGeneration": s.Generation, "ready": ready["status"]})
	}
	object.Object["status"] = map[string]any{
		"observedGeneration": object.GetGeneration(),
		"conditions":         []any{ready},
		"address":            address,
		"addresses":          []any{address},
		"subscribers":        subscribers,
	}
	return nil
}
