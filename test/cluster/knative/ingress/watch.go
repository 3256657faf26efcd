package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"knative.dev/networking/pkg/apis/networking"
	"knative.dev/networking/pkg/apis/networking/v1alpha1"
	"knative.dev/networking/pkg/client/clientset/versioned"
	"knative.dev/networking/pkg/client/informers/externalversions"
	"knative.dev/networking/pkg/ingress"
)

// watcher keeps the routes as the cluster's Ingresses say, and says so in
// their status.
type watcher struct {
	client  versioned.Interface
	store   cache.Store
	routes  *routes
	queue   workqueue.TypedRateLimitingInterface[string]
	address string
}

func newWatcher(ctx context.Context, client versioned.Interface, routes *routes, address string) (*watcher, error) {
	if err := waitForCRD(ctx, client); err != nil {
		return nil, err
	}
	w := &watcher{
		client: client, routes: routes, address: address,
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]()),
	}
	factory := externalversions.NewSharedInformerFactory(client, 0)
	informer := factory.Networking().V1alpha1().Ingresses().Informer()
	w.store = informer.GetStore()
	enqueue := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			w.queue.Add(key)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, object any) { enqueue(object) }, DeleteFunc: enqueue,
	})
	if err != nil {
		return nil, err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return w, ctx.Err()
}

// waitForCRD asks often: the informer's own retries would soon be 30 s apart,
// and this program starts before Knative is installed.
func waitForCRD(ctx context.Context, client versioned.Interface) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.NetworkingV1alpha1().Ingresses("").List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errNoCRD, err)
		case <-tick.C:
		}
	}
}

func (w *watcher) run(ctx context.Context) {
	go func() {
		<-ctx.Done()
		w.queue.ShutDown()
	}()
	for {
		key, stop := w.queue.Get()
		if stop {
			return
		}
		if err := w.sync(ctx, key); err != nil {
			slog.Error("cannot serve ingress", "ingress", key, "error", err)
			w.queue.AddRateLimited(key)
		} else {
			w.queue.Forget(key)
		}
		w.queue.Done(key)
	}
}

// sync serves what the Ingress says, and only then calls it ready.
func (w *watcher) sync(ctx context.Context, key string) error {
	object, exists, err := w.store.GetByKey(key)
	if err != nil {
		return err
	}
	if !exists {
		w.routes.remove(key)
		return nil
	}
	served := object.(*v1alpha1.Ingress).DeepCopy()
	if served.Annotations[networking.IngressClassAnnotationKey] != class || served.DeletionTimestamp != nil {
		w.routes.remove(key)
		return nil
	}
	served.SetDefaults(ctx)
	// The probe's routes tell those who ask which generation they have met.
	probed := served.DeepCopy()
	if _, err := ingress.InsertProbe(probed); err != nil {
		return err
	}
	w.routes.set(key, probed)
	if served.Status.ObservedGeneration == served.Generation && served.IsReady() {
		return nil
	}
	served.Status.InitializeConditions()
	served.Status.MarkNetworkConfigured()
	served.Status.MarkLoadBalancerReady(
		[]v1alpha1.LoadBalancerIngressStatus{{IP: w.address}},
		[]v1alpha1.LoadBalancerIngressStatus{{DomainInternal: "ingress.kube-system.svc.cluster.local"}})
	served.Status.ObservedGeneration = served.Generation
	_, err = w.client.NetworkingV1alpha1().Ingresses(served.Namespace).UpdateStatus(ctx, served, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
