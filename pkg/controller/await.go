package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"krt.dev/kn-krt/pkg/crowd"
)

const (
	// serverTimeout bounds one question to the apiserver, serverPause is the time between two.
	serverTimeout = 5 * time.Second
	serverPause   = time.Second
	// serverLimit bounds the wait for it: what keeps this process from it may end with the process.
	serverLimit = 10 * time.Minute
	// serverReports is how often is told that it is waited for.
	serverReports = time.Minute
)

// awaitServer waits until the apiserver responds. A leader whose lease it could not renew for some seconds
// ends, so that another one can work: without this wait, its next process would end at once, too, and be started
// again with ever longer pauses, which last when the apiserver is back. Meanwhile the probes hear that
// this process is alive and not ready.
func awaitServer(ctx context.Context, cfg *rest.Config, probes string) error {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = serverTimeout
	server, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return err
	}
	away := serverAway(server)
	if away == nil {
		return nil
	}
	stop, err := serveAlive(ctx, probes)
	if err != nil {
		return err
	}
	defer stop()
	limited, cancel := context.WithTimeout(ctx, serverLimit)
	defer cancel()
	var told time.Time
	for away != nil {
		if time.Since(told) >= serverReports {
			told = time.Now()
			log.FromContext(ctx).Info("waiting for the apiserver", "server", cfg.Host, "error", away.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limited.Done():
			return fmt.Errorf("%s has not responded for %s: %w", cfg.Host, serverLimit, away)
		case <-time.After(serverPause):
		}
		away = serverAway(server)
	}
	return nil
}

// serverAway is why the apiserver cannot be used yet. One that refuses this process is there.
func serverAway(server discovery.ServerVersionInterface) error {
	_, err := server.ServerVersion()
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		if code := status.Status().Code; code < http.StatusInternalServerError && code != http.StatusTooManyRequests {
			return nil
		}
	}
	return err
}

// serveAlive answers the probes of a process that is alive and not ready, until stop is called.
func serveAlive(ctx context.Context, address string) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: serverTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			http.Error(w, "waiting for the apiserver", http.StatusServiceUnavailable)
		}
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(crowd.Listen(listener, server, 0)) }) // until it is closed
	return func() {
		_ = server.Close() // probes ask again
		serving.Wait()
	}, nil
}
