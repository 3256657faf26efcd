// Command gateway serves the Gateway API and Ingresses for the tests, with TLS: test only, as the
// common ones need Envoy or NGINX. Of the Gateway API it claims the core of Gateway, HTTPRoute, GRPCRoute
// and ReferenceGrant, and nothing else; conformance/gateway runs the project's own tests of these.
//
// Each Gateway has an address of its own in 127.0.0.0/8, which needs no set-up and which programs of
// the cluster's network namespace reach. Pods do not.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/apis/v1beta1"
)

// controllerName is the controller of the classes that are served here.
const controllerName = "krt.dev/test-gateway"

func main() {
	flag.Parse() // controller-runtime has the flag -kubeconfig
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cannot serve as gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.QPS = -1 // tests make and delete routes by the dozen
	kinds := runtime.NewScheme()
	builder := runtime.NewSchemeBuilder(scheme.AddToScheme, gatewayv1.Install, v1beta1.Install)
	if err := builder.AddToScheme(kinds); err != nil {
		return err
	}
	if err := waitForKinds(ctx, config, kinds); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: kinds, Metrics: metrics.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return err
	}
	s := &server{client: mgr.GetClient(), addresses: map[string]string{}, sockets: map[string]*socket{}, proxy: newProxy()}
	all := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{}} // whatever has changed, all is made again
	})
	watches := ctrl.NewControllerManagedBy(mgr).Named("gateway")
	for _, kind := range []client.Object{
		&gatewayv1.GatewayClass{}, &gatewayv1.Gateway{}, &gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}, &v1beta1.ReferenceGrant{},
		&networkingv1.Ingress{}, &corev1.Service{}, &corev1.Secret{}, &corev1.Namespace{}, &discoveryv1.EndpointSlice{},
	} {
		watches = watches.Watches(kind, all)
	}
	if err := watches.Complete(s); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// waitForKinds waits until the Gateway API is installed: this starts before.
func waitForKinds(ctx context.Context, config *rest.Config, kinds *runtime.Scheme) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		reader, err := client.New(config, client.Options{Scheme: kinds})
		for _, list := range []client.ObjectList{&gatewayv1.GatewayList{}, &gatewayv1.HTTPRouteList{}, &gatewayv1.GRPCRouteList{},
			&v1beta1.ReferenceGrantList{}} {
			if err == nil {
				err = reader.List(ctx, list, client.Limit(1))
			}
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the Gateway API is not installed: %w", err)
		case <-tick.C:
		}
	}
}
