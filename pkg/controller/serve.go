package controller

import (
	"cmp"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"krt.dev/kn-krt/pkg/crowd"
)

// serve adds the servers of /metrics, and of /healthz and /readyz. They are not controller-runtime's, which accept any
// number of connections.
func serve(mgr manager.Manager, o Options) error {
	measured, probed := http.NewServeMux(), http.NewServeMux()
	measured.Handle("/metrics", promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	alive, ready := map[string]healthz.Checker{"ping": healthz.Ping}, map[string]healthz.Checker{"caches": synced(mgr)}
	for path, checks := range map[string]map[string]healthz.Checker{"/healthz": alive, "/readyz": ready} {
		handler := http.StripPrefix(path, &healthz.Handler{Checks: checks})
		probed.Handle(path, handler)
		probed.Handle(path+"/", handler) // of one check
	}
	for name, at := range map[string]struct {
		address string
		handler http.Handler
	}{"metrics": {o.MetricsAddr, measured}, "probes": {o.ProbeAddr, probed}} {
		if cmp.Or(at.address, noMetrics) == noMetrics {
			continue
		}
		listener, err := net.Listen("tcp", at.address)
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler: at.handler, ReadHeaderTimeout: serverTimeout, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
			IdleTimeout: crowd.IdleTime, MaxHeaderBytes: 16 << 10,
		}
		if err := mgr.Add(&manager.Server{
			Name: name, Server: server, Listener: crowd.Listen(listener, server, 0), ShutdownTimeout: new(serverTimeout),
		}); err != nil {
			return err
		}
	}
	return nil
}
