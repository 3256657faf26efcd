package version

import (
	"context"

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
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/render"
)

// Options configure the controller of versions.
type Options struct {
	// SystemNamespace holds the settings and the controller itself.
	SystemNamespace string
	// EntrypointImage is the image of cmd/entrypoint, by digest.
	EntrypointImage string
	// Secrets watches Secrets: the cache has none.
	Secrets client.WithWatch
	// StoreKey is the key by which credentials for the store are sealed.
	StoreKey *watch.StoreKey
	// Warmer keeps nodes up.
	Warmer *warm.Warmer
	// Controller configures the queue and its workers.
	Controller controller.Options
}

// Setup adds the reconciler of Versions to the manager, with all that it watches.
func Setup(mgr manager.Manager, o Options, s *watch.Settings, k *watch.Knative, x *watch.OwnerIndex) error {
	r := &reconciler{
		client:   mgr.GetClient(),
		live:     mgr.GetAPIReader(),
		applier:  &apply.Applier{Client: mgr.GetClient(), Live: mgr.GetAPIReader()},
		settings: s,
		knative:  k,
		secrets:  watch.NewSecrets(o.Secrets),
		storeKey: o.StoreKey,
		store:    watch.NewStore(s, mgr.GetClient()),
		queue:    watch.NewQueue(s, mgr.GetClient()),
		events:   mgr.GetEventRecorder("kn-krt"),
		warmer:   o.Warmer,
		image:    o.EntrypointImage,
		system:   o.SystemNamespace,
	}
	if err := mgr.Add(watch.Sweeper(mgr.GetClient(), &v1alpha1.VersionList{}, r.sweep)); err != nil {
		return err
	}
	owner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.Version{}, handler.OnlyControllerOwner())
	labelled := handler.EnqueueRequestsFromMapFunc(ofLabel)
	serving, eventing := r.knativeSources(mgr, x, owner, labelled)
	return builder.ControllerManagedBy(mgr).
		Named("version").
		For(&v1alpha1.Version{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&policyv1.PodDisruptionBudget{}).
		Owns(&networkingv1.NetworkPolicy{}).
		// Both watches of ConfigMaps, ours and Knative's flags, use one cache.
		Watches(&corev1.ConfigMap{}, owner).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.ofFeatures),
			builder.WithPredicates(predicate.NewPredicateFuncs(isFeatures))).
		Watches(&corev1.Pod{}, labelled).
		Watches(&v1alpha1.Runtime{}, handler.EnqueueRequestsFromMapFunc(r.ofRuntime)).
		WatchesRawSource(x.Source(&appsv1.Deployment{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
			&corev1.ConfigMap{}, &corev1.Service{})).
		WatchesRawSource(s.Source(&v1alpha1.VersionList{})).
		WatchesRawSource(r.secrets.Source()).
		WatchesRawSource(r.storeKey.Source(&v1alpha1.VersionList{})).
		WatchesRawSource(r.store.Source(&v1alpha1.VersionList{})).
		WatchesRawSource(r.queue.Source(&v1alpha1.VersionList{})).
		WatchesRawSource(serving).
		WatchesRawSource(eventing).
		WithOptions(o.Controller).
		Complete(reconcile.AsReconciler(mgr.GetClient(), r))
}

// knativeSources watch Knative's kinds once they exist. All versions are reconciled when
// Serving or Eventing is installed or uninstalled.
func (r *reconciler) knativeSources(
	mgr manager.Manager, x *watch.OwnerIndex, owner, labelled handler.EventHandler,
) (serving, eventing source.SyncingSource) {
	changed := func(ctx context.Context, q watch.Queue) {
		watch.EnqueueAll(ctx, mgr.GetClient(), &v1alpha1.VersionList{}, q)
	}
	kind := func(object client.Object, h handler.EventHandler) source.SyncingSource {
		return source.Kind(mgr.GetCache(), object, h)
	}
	indexServices := func(ctx context.Context) error { return x.Index(ctx, &servingv1.Service{}) }
	indexSequences := func(ctx context.Context) error { return x.Index(ctx, &flowsv1.Sequence{}) }
	return r.knative.Serving.Source(changed, indexServices, kind(&servingv1.Service{}, owner), kind(&servingv1.Revision{}, labelled)),
		r.knative.Eventing.Source(changed, indexSequences, kind(&flowsv1.Sequence{}, owner))
}

func isFeatures(o client.Object) bool {
	return o.GetNamespace() == render.FeaturesNamespace && (o.GetName() == render.FeaturesName || o.GetName() == render.NetworkName)
}

// ofLabel is the version in the labels of a pod or Revision.
func ofLabel(_ context.Context, o client.Object) []reconcile.Request {
	version := o.GetLabels()[render.LabelVersion]
	if version == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: version}}}
}

// ofFeatures are the versions that need feature flags of Knative, or call nodes themselves unless it encrypts that.
func (r *reconciler) ofFeatures(ctx context.Context, o client.Object) []reconcile.Request {
	return r.versions(ctx, "", func(v *v1alpha1.Version) bool {
		if o.GetName() == render.NetworkName {
			return v.Delivery() != v1alpha1.DeliverySequence
		}
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
		return rt.Uses(v.Name) != v1alpha1.UseNone || c != nil && c.Reason != v1alpha1.ReasonNotPublished
	})
}

func (r *reconciler) versions(
	ctx context.Context, namespace string, concerned func(*v1alpha1.Version) bool,
) (requests []reconcile.Request) {
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

// sweep forgets all that is cached for versions that no longer exist.
func (r *reconciler) sweep(existing watch.Existing) {
	r.secrets.Keep(existing.Namespaces)
	r.problems.keep(existing.UIDs)
	r.configs.keep(existing.UIDs)
	r.keys.keep(existing.UIDs)
	r.applier.Keep(existing.UIDs)
	r.warmer.Keep(existing.UIDs)
}
