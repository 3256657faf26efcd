// Package runtime reconciles Runtimes: it has the Service active-entrypoint select the
// version that a Runtime names.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/canary"
	"krt.dev/kn-krt/pkg/controller/contract"
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/render"
)

// foreignInterval is how often to check whether an object with another owner is gone.
const foreignInterval = 10 * time.Second

// reconciler publishes: it has the Service active-entrypoint select the version that the
// Runtime names, once that is ready. It alone writes the Runtime's status, that Service and
// its Ingresses or routes, and it reads the status of Versions.
type reconciler struct {
	client   client.Client
	applier  *apply.Applier
	events   events.EventRecorder
	settings *watch.Settings
	gateways *watch.Installation
	wait     time.Duration
	settle   time.Duration
	applied  time.Duration // see Options.TrafficSettle

	contracts contract.Comparer
	plans     *canary.Walker
	warmer    *warm.Warmer
	warmWait  time.Duration // see Options.WarmWait

	mu       sync.Mutex
	warmths  map[readying]warmth
	switches map[types.UID]transition
	foreign  map[types.UID]*apply.NotOwnedError
	told     map[leaf]time.Time // when entrypoints were told to divide requests in another way
}

// Options configure the controller of runtimes.
type Options struct {
	// SwitchWait bounds how long a publication waits until the endpoints of
	// active-entrypoint have followed its selector.
	SwitchWait time.Duration
	// SwitchSettle is how long after that the nodes of the cluster may still route new
	// connections to the former version.
	SwitchSettle time.Duration
	// GatewayAPI is whether the Gateway API is installed.
	GatewayAPI *watch.Installation
	// TrafficSettle is how long entrypoints may take to apply how they are to divide requests
	// between the published version and a canary: their kubelets must update a volume.
	TrafficSettle time.Duration
	// MeasureInterval is the time between two measurements of a canary with a plan.
	MeasureInterval time.Duration
	// StoreKey is the key by which credentials for the store are sealed.
	StoreKey *watch.StoreKey
	// Warmer wakes the nodes of a version before it gets requests, for which that waits at most for WarmWait.
	Warmer   *warm.Warmer
	WarmWait time.Duration
	// Dial replaces how connections to entrypoints, the store and Prometheus are made; nil for the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Controller configures the queue and its workers.
	Controller controller.Options
}

// Setup adds the reconciler of Runtimes to the manager, with all that it watches.
func Setup(mgr manager.Manager, o Options, s *watch.Settings, x *watch.OwnerIndex) error {
	r := &reconciler{
		client:   mgr.GetClient(),
		applier:  &apply.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader()},
		events:   mgr.GetEventRecorder("kn-krt"),
		settings: s,
		gateways: o.GatewayAPI,
		wait:     o.SwitchWait,
		settle:   o.SwitchSettle,
		applied:  o.TrafficSettle,
		warmer:   o.Warmer,
		warmWait: o.WarmWait,
		warmths:  map[readying]warmth{},
		switches: map[types.UID]transition{},
		foreign:  map[types.UID]*apply.NotOwnedError{},
		told:     map[leaf]time.Time{},
	}
	meter := canary.Meter{Client: mgr.GetClient(), Settings: s.Get, StoreKey: o.StoreKey.Get, Dial: o.Dial}
	r.plans = canary.NewWalker(meter.Measure, o.MeasureInterval)
	if err := mgr.Add(watch.Sweeper(mgr.GetClient(), &v1alpha1.RuntimeList{}, r.sweep)); err != nil {
		return err
	}
	// What happens in a namespace affects its one runtime.
	neighbour := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: v1alpha1.RuntimeName}}}
	})
	return builder.ControllerManagedBy(mgr).
		Named("runtime").
		For(&v1alpha1.Runtime{}).
		Owns(&corev1.Service{}).
		Owns(&networkingv1.Ingress{}).
		Owns(&corev1.ConfigMap{}).
		Watches(&corev1.Pod{}, neighbour, builder.WithPredicates(predicate.NewPredicateFuncs(isEntrypoint))).
		Watches(&v1alpha1.Version{}, neighbour).
		Watches(&discoveryv1.EndpointSlice{}, neighbour).
		WatchesRawSource(x.Source(&corev1.Service{}, &networkingv1.Ingress{}, &corev1.ConfigMap{})).
		WatchesRawSource(s.Source(&v1alpha1.RuntimeList{})).
		WatchesRawSource(r.routes(mgr, x)).
		WatchesRawSource(r.measured()).
		WithOptions(o.Controller).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}

func isEntrypoint(o client.Object) bool {
	return o.GetLabels()[render.LabelType] == render.TypeEntrypoint
}

// Reconcile brings active-entrypoint closer to what the Runtime names, and writes the
// status once. The Service of a Runtime that is being deleted goes by its owner reference.
func (r *reconciler) Reconcile(ctx context.Context, rt *v1alpha1.Runtime) (reconcile.Result, error) {
	if rt.DeletionTimestamp != nil || rt.Spec.Canary == nil {
		r.plans.Forget(rt.UID)
	}
	if rt.DeletionTimestamp != nil {
		r.forget(rt)
		return reconcile.Result{}, nil
	}
	before := rt.DeepCopy()
	rt.BeginStatus()
	result, err := r.publish(ctx, rt)
	if err == nil {
		result.RequeueAfter = sooner(result.RequeueAfter, r.warming(before, time.Now()))
		result, err = r.reach(ctx, rt, result)
	}
	if err := errors.Join(err, r.save(ctx, before, rt)); err != nil {
		return result, err
	}
	return result, r.promote(ctx, rt)
}

// publish switches active-entrypoint to the wanted version, or leaves it as it is and marks
// why.
func (r *reconciler) publish(ctx context.Context, rt *v1alpha1.Runtime) (reconcile.Result, error) {
	wanted, current := rt.Spec.PublishedVersion, rt.Status.PublishedVersion
	obstacle, err := r.obstacle(ctx, rt)
	if err != nil {
		return reconcile.Result{}, err
	}
	due, unsettled, err := r.share(ctx, rt, obstacle)
	if err != nil {
		return reconcile.Result{}, err
	}
	serve := wanted
	if obstacle != nil || unsettled > 0 {
		serve = current
	}
	if err := r.serve(ctx, rt, serve); err != nil {
		return r.failed(rt, err)
	}
	switch {
	case obstacle != nil:
		r.forget(rt)
		rt.MarkNotReady(obstacle.Reason, obstacle.Message)
	case unsettled > 0:
		r.forget(rt)
		rt.MarkPublishing(fmt.Sprintf("the entrypoint of %q, which was published before, is being updated", wanted))
		due = sooner(due, unsettled)
	case wanted == "":
		r.forget(rt)
		rt.MarkNothingPublished(metav1.Now())
	case wanted == current:
		rt.MarkPublished(wanted, metav1.Now())
	default:
		again, err := r.await(ctx, rt)
		return reconcile.Result{RequeueAfter: sooner(due, again)}, err
	}
	return reconcile.Result{RequeueAfter: due}, nil
}

// serve has active-entrypoint select version, or deletes it if version is empty.
func (r *reconciler) serve(ctx context.Context, rt *v1alpha1.Runtime, version string) error {
	var desired []client.Object
	kinds := []client.ObjectList{&corev1.ServiceList{}}
	if version != "" {
		desired = append(desired, render.ActiveEntrypoint(rt, version))
	}
	ways, more := r.outside(rt, version)
	desired, kinds = append(desired, ways...), append(kinds, more...)
	if _, err := r.applier.Apply(ctx, rt, desired...); err != nil {
		return err
	}
	_, err := r.applier.Prune(ctx, rt, desired, kinds...)
	return err
}

// failed marks why active-entrypoint cannot be written. An object with another owner is not
// watched, so the runtime is reconciled again after a while.
func (r *reconciler) failed(rt *v1alpha1.Runtime, err error) (reconcile.Result, error) {
	var taken *apply.NotOwnedError
	switch {
	case errors.As(err, &taken):
		rt.MarkNotReady(v1alpha1.ReasonNotOwned, notOwned(rt, taken))
		return reconcile.Result{RequeueAfter: foreignInterval}, nil
	case apierrors.IsInvalid(err), apierrors.IsForbidden(err):
		rt.MarkNotReady(v1alpha1.ReasonRefused, fmt.Sprintf("%s; see: kubectl get service,ingress %s -n %s -o yaml",
			err, render.ActiveEntrypointName, rt.Namespace))
	}
	return reconcile.Result{}, err
}

// await waits until clients of active-entrypoint reach the wanted version only; not
// before is it reported as published. The wait is bounded, because the version is
// selected already, and the controller of endpoints may be slow.
func (r *reconciler) await(ctx context.Context, rt *v1alpha1.Runtime) (again time.Duration, err error) {
	wanted := rt.Spec.PublishedVersion
	switched, err := r.switched(ctx, rt)
	if err != nil {
		return 0, err
	}
	// Connections to the version before get the wanted one, too, if that was its canary.
	if left := max(r.left(rt, switched), r.untold(leaf{rt.UID, rt.Status.PublishedVersion}, time.Now())); left > 0 {
		rt.MarkPublishing(fmt.Sprintf("%s selects version %q; its endpoints are being updated", render.ActiveEntrypointName, wanted))
		return left, nil
	}
	r.forget(rt)
	rt.MarkPublished(wanted, metav1.Now())
	return 0, nil
}

// save writes the status if it has changed, and reports the change as events.
func (r *reconciler) save(ctx context.Context, before, rt *v1alpha1.Runtime) error {
	if equality.Semantic.DeepEqual(before.Status, rt.Status) {
		return nil
	}
	written, err := apply.PatchStatus(ctx, r.client, before, rt)
	if written {
		r.report(rt, before.Status)
	}
	return err
}

// report emits events about the changes of the status since before.
func (r *reconciler) report(rt *v1alpha1.Runtime, before v1alpha1.RuntimeStatus) {
	if from, to := before.PublishedVersion, rt.Status.PublishedVersion; from != to {
		switch {
		case to == "":
			r.events.Eventf(rt, nil, corev1.EventTypeNormal, "Unpublished", "Publish", "version %q is no longer published", from)
		case from == "":
			r.events.Eventf(rt, nil, corev1.EventTypeNormal, v1alpha1.ReasonPublished, "Publish", "version %q is published", to)
		default:
			r.events.Eventf(rt, nil, corev1.EventTypeNormal, v1alpha1.ReasonPublished, "Publish", "version %q is published instead of %q", to, from)
		}
	}
	r.reportCanary(rt, before)
	old, ready := before.Condition(v1alpha1.ConditionReady), rt.Status.Condition(v1alpha1.ConditionReady)
	if ready != nil && ready.Status == metav1.ConditionFalse && (old == nil || old.Reason != ready.Reason || old.Message != ready.Message) {
		r.events.Eventf(rt, nil, corev1.EventTypeWarning, ready.Reason, "Publish", "%s", ready.Message)
	}
}

// sweep forgets all that is cached for runtimes that no longer exist, and what entrypoints were
// told and have applied by now.
func (r *reconciler) sweep(existing watch.Existing) {
	r.applier.Keep(existing.UIDs)
	r.plans.Keep(existing.UIDs)
	r.contracts.Keep(existing.UIDs)
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.told, func(l leaf, since time.Time) bool {
		return !existing.UIDs[l.runtime] || time.Since(since) > r.applied
	})
	maps.DeleteFunc(r.warmths, func(k readying, _ warmth) bool { return !existing.UIDs[k.runtime] })
	maps.DeleteFunc(r.foreign, func(uid types.UID, _ *apply.NotOwnedError) bool { return !existing.UIDs[uid] })
	maps.DeleteFunc(r.switches, func(uid types.UID, _ transition) bool { return !existing.UIDs[uid] })
}
