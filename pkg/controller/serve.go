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
	probed.Handle("/healthz", check("ping", healthz.Ping))
	probed.Handle("/readyz", check("caches", synced(mgr)))
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

// check serves one check, at whatever path it is.
func check(name string, c healthz.Checker) http.Handler {
	h := &healthz.Handler{Checks: map[string]healthz.Checker{name: c}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = "/"
		h.ServeHTTP(w, r)
	})
}
