// Command ingress serves Knative's Ingress resources for the tests: Knative
// needs some ingress, and those that are known need a proxy that is not built
// from Go modules. It does what Knative's own features rest on (hosts, paths,
// splits, headers, visibility, HTTP/1.1, h2c, streaming, upgrades), without TLS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"knative.dev/networking/pkg/client/clientset/versioned"
)

// class is the value of the annotation networking.knative.dev/ingress.class of
// the resources served here.
const class = "test.ingress.krt.dev"

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig file of the apiserver")
	public := flag.String("public", "", "address on which hosts open to all are served")
	private := flag.String("private", "", "address on which cluster-local hosts are served too")
	address := flag.String("address", "", "address to publish for the public side")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *public, *private, *address); err != nil {
		fmt.Fprintln(os.Stderr, "cannot serve as ingress:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, public, private, address string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400 // tests make and delete services by the hundred
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(core, 0)
	factory.Core().V1().Services().Informer()
	backends, err := newBackends(factory)
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	routes := newRoutes()
	proxy := newProxy(backends)
	failed := make(chan error, 2)
	for _, side := range []struct {
		address string
		view    *view
	}{{public, &routes.public}, {private, &routes.private}} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", side.address)
		if err != nil {
			return err
		}
		server := newServer(side.view.handler(proxy))
		go func() { failed <- server.Serve(listener) }()
	}
	watch, err := newWatcher(ctx, client, routes, address)
	if err != nil {
		return err
	}
	go watch.run(ctx)
	slog.Info("serving", "public", public, "private", private)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// newServer speaks HTTP/1.1 and, without TLS, HTTP/2. Streams last as long as
// they like.
func newServer(handler http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: handler, Protocols: &protocols, ReadHeaderTimeout: 10 * time.Second}
}

var errNoCRD = errors.New("no such resource yet: ingresses.networking.internal.knative.dev")
