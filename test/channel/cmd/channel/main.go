// Command channel serves the TestChannels of a cluster: see package channel.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"krt.dev/kn-krt/test/channel"
	"krt.dev/kn-krt/test/channel/watch"
)

func main() {
	path := flag.String("store", "/data/events", "the file to store events in")
	base := flag.String("base", "http://test-channel.krt-test-channel.svc.cluster.local", "the address at which channels are reached")
	workers := flag.Int("workers", 16, "how many events a subscriber is sent at a time")
	flag.Parse()
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)))
	if err := run(ctrl.SetupSignalHandler(), *path, *base, *workers); err != nil {
		slog.Error("cannot serve", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, path, base string, workers int) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	m, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: runtime.NewScheme(), Metrics: server.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	// It waits here for a process before this one that has not ended yet.
	d, err := channel.Open(path, channel.Options{Workers: workers})
	if err != nil {
		return err
	}
	var synced atomic.Bool
	if err := watch.Add(m, d, base, func() { synced.Store(true) }); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", d)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !synced.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	web := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	failed := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		failed <- web.ListenAndServe()
		stop()
	}()
	err = m.Start(ctx)
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(err, web.Shutdown(end), d.Close())
	if cause := <-failed; !errors.Is(cause, http.ErrServerClosed) {
		err = errors.Join(err, cause)
	}
	return err
}
