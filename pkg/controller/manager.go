// Package controller sets up the manager of kn-krt's two controllers. Package version turns
// Versions into Knative and Kubernetes objects and reports their state; package runtime
// has the Service active-entrypoint select the published one; package inventory makes
// metrics of them; package watch holds the event sources that both use.
package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/controller/inventory"
	krtruntime "krt.dev/kn-krt/pkg/controller/runtime"
	"krt.dev/kn-krt/pkg/controller/version"
	"krt.dev/kn-krt/pkg/controller/warm"
	"krt.dev/kn-krt/pkg/controller/watch"
	"krt.dev/kn-krt/pkg/render"
)

// Options configure the controller. The zero value serves no metrics and no probes, elects
// no leader, and cannot start versions because it has no EntrypointImage.
type Options struct {
	// SystemNamespace holds the settings (ConfigMap config-krt) and the leader's lease; krt-system if empty.
	SystemNamespace string
	// EntrypointImage is the image of cmd/entrypoint, by digest.
	EntrypointImage string
	// MetricsAddr and ProbeAddr are host:port of /metrics, and of /healthz and /readyz; empty for none.
	MetricsAddr, ProbeAddr string
	// LeaderElect lets only one of several replicas work at a time.
	LeaderElect bool
	// Workers is how many versions are reconciled at a time; 8 if 0.
	Workers int
	// SwitchWait bounds how long a publication waits until the endpoints of
	// active-entrypoint have followed its selector; 10s if 0.
	SwitchWait time.Duration
	// SwitchSettle is how long after that the nodes of the cluster may still route new
	// connections to the former version: kube-proxy collects changes for 1 s by default,
	// and then writes them; 2s if 0.
	SwitchSettle time.Duration
	// WarmWait bounds how long a version that is about to get requests waits for its nodes that are at zero; 1m if 0.
	WarmWait time.Duration
	// MeasureInterval is the time between two measurements of a canary with a plan; 15s if 0.
	MeasureInterval time.Duration
	// Dial replaces how the metrics of entrypoints, the store and Prometheus are reached to judge
	// canaries, and nodes that are woken; nil for the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TrafficSettle is how long entrypoints may take to apply how they are to divide requests
	// between the published version and a canary: a kubelet updates a volume as soon as its pod
	// changes, and the entrypoint reads it once a second; 3s if 0.
	TrafficSettle time.Duration
}

// noMetrics is controller-runtime's word for no address.
const noMetrics = "0"

func (o Options) withDefaults() Options {
	if o.SystemNamespace == "" {
		o.SystemNamespace = render.SystemNamespace
	}
	if o.MetricsAddr == "" {
		o.MetricsAddr = noMetrics
	}
	if o.Workers == 0 {
		o.Workers = 8
	}
	if o.SwitchWait == 0 {
		o.SwitchWait = 10 * time.Second
	}
	if o.SwitchSettle == 0 {
		o.SwitchSettle = 2 * time.Second
	}
	if o.TrafficSettle == 0 {
		o.TrafficSettle = 3 * time.Second
	}
	if o.WarmWait == 0 {
		o.WarmWait = time.Minute
	}
	return o
}

// syncLimit is how long a controller may take to read all objects of a kind when it starts; then it ends with an error, and
// begins anew. On a busy machine it has taken more than the usual two minutes for 2,000 versions.
const syncLimit = 10 * time.Minute

// controller configures the queue of each controller. A failure is retried within a minute
// at the latest: most are fixed by people, who wait.
func (o Options) controller() controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: o.Workers,
		ReconciliationTimeout:   2 * time.Minute,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, time.Minute),
		// The one of controller-runtime v0.23 may deadlock on shutdown while its workers wait.
		UsePriorityQueue: new(false),
	}
}

// New returns the controller of a cluster; its Start runs it. The CRDs of krt.dev must be
// installed; Knative need not be yet. Errors are an apiserver that cannot be reached or does
// not know krt.dev, and addresses that cannot be listened on.
func New(cfg *rest.Config, o Options) (manager.Manager, error) {
	o = o.withDefaults()
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // no client-side limit: the apiserver has its own fairness, and failures back off in the queue
	scheme, err := newScheme()
	if err != nil {
		return nil, fmt.Errorf("cannot set up the controller: %w", err)
	}
	mgr, err := manager.New(cfg, manager.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(o),
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: uncached()}},
		LeaderElection:                o.LeaderElect,
		LeaderElectionID:              "kn-krt-controller",
		LeaderElectionNamespace:       o.SystemNamespace,
		LeaderElectionReleaseOnCancel: true,
		Metrics:                       metrics.Options{BindAddress: noMetrics}, // see serve
		// The names are unique; the check would forbid two controllers in one test process.
		Controller: config.Controller{SkipNameValidation: new(true), CacheSyncTimeout: syncLimit},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot set up the controller (are the CRDs of krt.dev installed?): %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfigAndClient(cfg, mgr.GetHTTPClient())
	if err != nil {
		return nil, fmt.Errorf("cannot set up the controller: %w", err)
	}
	if err := setup(mgr, o, watch.NewKnative(found), watch.NewGatewayAPI(found)); err != nil {
		return nil, fmt.Errorf("cannot set up the controller: %w", err)
	}
	return mgr, nil
}

// Run sets up the controller, once the apiserver responds, and runs it until the context ends. Errors are those
// of [New], the loss of the leader's lease, and an apiserver that does not respond for 10 minutes.
func Run(ctx context.Context, cfg *rest.Config, o Options) error {
	if err := awaitServer(ctx, cfg, o.ProbeAddr); err != nil {
		return fmt.Errorf("cannot set up the controller: %w", err)
	}
	mgr, err := New(cfg, o)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// setup adds the two reconcilers, the metrics of versions and the probes.
func setup(mgr manager.Manager, o Options, k *watch.Knative, g *watch.Installation) error {
	s, x := watch.NewSettings(mgr, o.SystemNamespace), watch.NewOwnerIndex(mgr.GetFieldIndexer())
	watcher, err := client.NewWithWatch(mgr.GetConfig(), client.Options{
		HTTPClient: mgr.GetHTTPClient(), Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("cannot watch Secrets: %w", err)
	}
	key := watch.NewStoreKey(watcher, mgr.GetClient(), o.SystemNamespace)
	warmer := warm.New(o.Dial)
	if err := mgr.Add(warmer); err != nil {
		return err
	}
	versions := version.Options{SystemNamespace: o.SystemNamespace, EntrypointImage: o.EntrypointImage, Secrets: watcher, StoreKey: key,
		Warmer: warmer, Controller: o.controller()}
	if err := version.Setup(mgr, versions, s, k, x); err != nil {
		return err
	}
	runtimes := krtruntime.Options{SwitchWait: o.SwitchWait, SwitchSettle: o.SwitchSettle, TrafficSettle: o.TrafficSettle,
		GatewayAPI: g, MeasureInterval: o.MeasureInterval, StoreKey: key, Dial: o.Dial,
		Warmer: warmer, WarmWait: o.WarmWait, Controller: o.controller()}
	if err := krtruntime.Setup(mgr, runtimes, s, x); err != nil {
		return err
	}
	if err := inventory.Setup(mgr, o.MetricsAddr != noMetrics); err != nil {
		return err
	}
	return serve(mgr, o)
}

// synced is the check of /readyz: all that is watched has been read. A replica that waits
// to be the leader watches little or nothing, and is ready for that.
func synced(mgr manager.Manager) healthz.Checker {
	return func(r *http.Request) error {
		// Long enough for what is in memory, and well within a probe's second.
		ctx, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond)
		defer cancel()
		select {
		case <-mgr.Elected():
			// The controllers register what they watch a moment after the election. Versions are
			// requested here, so that there is something to wait for.
			if _, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.Version{}); err != nil {
				return fmt.Errorf("versions have not been read yet: %w", err)
			}
		default:
		}
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("what is watched has not been read completely yet")
		}
		return nil
	}
}

// uncached are kinds that are read rarely, and of which the cache would hold all of the
// cluster's, or that are not ours.
func uncached() []client.Object {
	return []client.Object{&corev1.Secret{}, &corev1.Event{}, &eventsv1.Event{}, &gatewayv1.Gateway{}}
}

// newScheme has every kind that is read or written.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(clientscheme.AddToScheme, servingv1.AddToScheme, flowsv1.AddToScheme,
		messagingv1.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme)
	return scheme, builder.AddToScheme(scheme)
}

// cacheOptions keep our objects and little else in memory. Knative's kinds cannot be listed
// here, because they need not be installed: all that is not listed is selected by its label.
func cacheOptions(o Options) cache.Options {
	all := cache.ByObject{Label: labels.Everything()}
	ours := labels.SelectorFromSet(labels.Set{render.LabelManagedBy: render.ManagedBy})
	// KRT V1 defines the labels of an entrypoint's Services; their EndpointSlices inherit them. Nobody needs those of
	// nodes, which change whenever these are scaled.
	entrypoints := cache.ByObject{Label: having(render.LabelVersionName)}
	endpoints := cache.ByObject{Label: having(render.LabelVersionName, "!"+render.LabelNode)}
	return cache.Options{
		DefaultLabelSelector: ours,
		DefaultTransform:     trim,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.Version{}:          all,
			&v1alpha1.Runtime{}:          all,
			&corev1.Node{}:               all,
			&corev1.Service{}:            entrypoints,
			&discoveryv1.EndpointSlice{}: endpoints,
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{
				o.SystemNamespace:        named(render.SettingsName),
				render.FeaturesNamespace: {LabelSelector: labels.Everything()}, // flags, network, Deployments
				cache.AllNamespaces:      {LabelSelector: ours},
			}},
		},
	}
}

// named selects one object by its name.
func named(name string) cache.Config {
	return cache.Config{LabelSelector: labels.Everything(), FieldSelector: fields.OneTermEqualSelector("metadata.name", name)}
}

// having selects what has labels of any value, and does not have those that "!" precedes.
func having(keys ...string) labels.Selector {
	selector, err := labels.Parse(strings.Join(keys, ","))
	if err != nil {
		return labels.Nothing() // the labels are constants and valid ones
	}
	return selector
}
