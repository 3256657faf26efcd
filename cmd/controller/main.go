// Command controller reconciles the versions and runtimes of a cluster.
package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"krt.dev/kn-krt/pkg/controller"
)

func main() {
	o := controller.Options{SystemNamespace: os.Getenv("SYSTEM_NAMESPACE"), EntrypointImage: os.Getenv("KRT_ENTRYPOINT_IMAGE")}
	flag.StringVar(&o.MetricsAddr, "metrics", ":9090", "address of /metrics; empty to serve none")
	flag.StringVar(&o.ProbeAddr, "probes", ":8081", "address of /healthz and /readyz; empty to serve none")
	flag.BoolVar(&o.LeaderElect, "leader-elect", true, "elect a leader: one replica works at a time")
	flag.Parse()
	handler := slog.NewJSONHandler(os.Stderr, nil)
	ctrl.SetLogger(logr.FromSlogHandler(handler))
	klog.SetSlogLogger(slog.New(handler))
	controller.LimitMemory(os.Getenv("KRT_MEMORY_LIMIT"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := ctrl.GetConfig()
	if err == nil {
		err = controller.Run(ctx, cfg, o)
	}
	if err != nil {
		slog.New(handler).Error(err.Error())
		os.Exit(1)
	}
}
