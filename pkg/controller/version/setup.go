package version

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/apply"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/render"
)

// Options are the controller's of versions.
type Options struct {
	// SystemNamespace holds the settings and the controller itself.
	SystemNamespace string
	// EntrypointImage is the image of cmd/entrypoint, by digest.
	EntrypointImage string
	// Controller is how the queue is worked.
	Controller controller.Options
}

// Setup adds the reconciler of Versions, with all that it watches.
func Setup(mgr manager.Manager, o Options, s *watch.Settings, k *watch.Knative, x *watch.OwnerIndex) error {
	watcher, err := client.NewWithWatch(mgr.GetConfig(), client.Options{HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("cannot watch Secrets: %w", err)
	}
	r := &reconciler{
		client:   mgr.GetClient(),
		live:     mgr.GetAPIReader(),
		applier:  &apply.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader()},
		settings: s,
		knative:  k,
		secrets:  watch.NewSecrets(watcher),
		events:   mgr.GetEventRecorder("kn-krt"),
		image:    o.EntrypointImage,
		system:   o.SystemNamespace,
		checks:   newChecks(),
	}
	if err := mgr.Add(watch.Sweeper(mgr.GetClient(), &v1alpha1.VersionList{}, r.sweep)); err != nil {
		return err
	}
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.Version{}, handler.OnlyControllerOwner())
	changed := func(ctx context.Context, q watch.Queue) {
		watch.Every(ctx, mgr.GetClient(), &v1alpha1.VersionList{}, q)
	}
	kind := func(object client.Object, h handler.EventHandler) source.SyncingSource {
		return source.Kind(mgr.GetCache(), object, h)
	}
	indexServices := func(ctx context.Context) error { return x.Of(ctx, &servingv1.Service{}) }
	indexSequences := func(ctx context.Context) error { return x.Of(ctx, &flowsv1.Sequence{}) }
	return builder.ControllerManagedBy(mgr).
		Named("version").
		For(&v1alpha1.Version{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&networkingv1.NetworkPolicy{}).
		// One watch for what is ours and for Knative's flags: they are in one cache.
		Watches(&corev1.ConfigMap{}, owner).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.ofFlags), builder.WithPredicates(predicate.NewPredicateFuncs(isFlags))).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofLabel)).
		Watches(&v1alpha1.Runtime{}, handler.EnqueueRequestsFromMapFunc(r.ofRuntime)).
		WatchesRawSource(x.Source(&appsv1.Deployment{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{}, &corev1.ConfigMap{}, &corev1.Service{})).
		WatchesRawSource(s.Source(&v1alpha1.VersionList{})).
		WatchesRawSource(r.secrets.Source()).
		WatchesRawSource(k.Serving.Source(changed, indexServices, kind(&servingv1.Service{}, owner), kind(&servingv1.Revision{}, handler.EnqueueRequestsFromMapFunc(ofLabel)))).
		WatchesRawSource(k.Eventing.Source(changed, indexSequences, kind(&flowsv1.Sequence{}, owner))).
		WithOptions(o.Controller).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}

func isFlags(o client.Object) bool {
	return o.GetNamespace() == render.FeaturesNamespace && o.GetName() == render.FeaturesName
}

// ofLabel is the version that a pod or revision is labelled with.
func ofLabel(_ context.Context, o client.Object) []reconcile.Request {
	version := o.GetLabels()[render.LabelVersion]
	if version == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: version}}}
}

// ofFlags are the versions that Knative's flags can hinder.
func (r *reconciler) ofFlags(ctx context.Context, _ client.Object) []reconcile.Request {
	return r.versions(ctx, "", func(v *v1alpha1.Version) bool {
		for _, n := range v.Spec.Nodes {
			if n.GPU {
				return true
			}
		}
		return false
	})
}

// ofRuntime are the versions that a Runtime names, and those that it has named before.
func (r *reconciler) ofRuntime(ctx context.Context, o client.Object) []reconcile.Request {
	rt, ok := o.(*v1alpha1.Runtime)
	if !ok {
		return nil
	}
	return r.versions(ctx, rt.Namespace, func(v *v1alpha1.Version) bool {
		c := v.Status.Condition(v1alpha1.ConditionPublished)
		named := v.Name == rt.Spec.PublishedVersion || v.Name == rt.Status.PublishedVersion
		return named || c != nil && c.Reason != v1alpha1.ReasonNotPublished
	})
}

func (r *reconciler) versions(ctx context.Context, namespace string, concerned func(*v1alpha1.Version) bool) (requests []reconcile.Request) {
	var list v1alpha1.VersionList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "cannot list the versions that a change concerns")
		return nil
	}
	for i := range list.Items {
		if v := &list.Items[i]; concerned(v) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(v)})
		}
	}
	return requests
}

// sweep forgets what was kept for other versions than there are.
func (r *reconciler) sweep(there watch.Present) {
	r.secrets.Keep(there.Namespaces)
	r.checks.keep(there.UIDs)
	r.configs.keep(there.UIDs)
	r.keys.keep(there.UIDs)
	r.applier.Keep(there.UIDs)
}
