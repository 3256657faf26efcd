package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"krt.dev/kn-krt/pkg/crowd"
	"krt.dev/kn-krt/pkg/keypair"
	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/store/line"
)

// pingTimeout is how long a database may take to respond to a probe.
const pingTimeout = 2 * time.Second

// Service is a store that runs.
type Service struct {
	config   Config
	log      *slog.Logger
	backends *opened
	keys     *keyring
	metrics  *metrics
	draining atomic.Bool

	// hadSettings and lostSettings: there were settings once, and it is logged that there are none now.
	hadSettings, lostSettings atomic.Bool
}

// Main runs a store with the flags in args and the environment until ctx ends, and logs to
// stderr. See [Config] for what these mean.
func Main(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) error {
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	c, err := parse(args, getenv, stderr)
	if err != nil {
		return err
	}
	s, err := New(ctx, c, log)
	if err != nil {
		return err
	}
	api, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return errors.Join(err, s.backends.close(ctx))
	}
	metrics, err := net.Listen("tcp", s.config.Metrics)
	if err != nil {
		return errors.Join(err, api.Close(), s.backends.close(ctx))
	}
	return s.Serve(ctx, api, metrics)
}

// New opens the databases of a configuration and reads its keys. Errors are those of a
// database that cannot be used and of keys and certificates that cannot be read.
func New(ctx context.Context, c Config, log *slog.Logger) (*Service, error) {
	c = c.withDefaults()
	keys, err := openKeys(c.Keys, log)
	if err != nil {
		return nil, fmt.Errorf("cannot read the keys of credentials: %w", err)
	}
	backends, err := open(ctx, c, log)
	if err != nil {
		return nil, fmt.Errorf("cannot open the store's databases: %w", err)
	}
	s := &Service{config: c, log: log, backends: backends, keys: keys, metrics: newMetrics(backends.sinks)}
	s.metrics.files(backends.usages)
	if sink, ok := backends.Measurements.(*line.Sink); ok {
		s.metrics.queue(sink.Counts)
	}
	return s, nil
}

// Serve serves the API and the metrics until ctx ends; then it lets requests in flight
// finish, and closes the databases and both listeners. It is called once.
func (s *Service) Serve(ctx context.Context, api, metrics net.Listener) error {
	running, end := context.WithCancel(ctx)
	defer end()
	servers := []*http.Server{s.server(s.handler()), s.server(s.metricsHandler())}
	tlsConfig, err := keypair.Config(s.config.TLS, s.log)
	if err != nil {
		return errors.Join(err, api.Close(), metrics.Close(), s.backends.close(ctx))
	}
	api, metrics = crowd.Listen(api, servers[0], s.config.connections), crowd.Listen(metrics, servers[1], s.config.connections)
	if tlsConfig != nil {
		api = tls.NewListener(api, tlsConfig)
	}
	go s.keys.Follow(running)
	go s.expire(running)
	served := make(chan error, len(servers))
	for i, listener := range []net.Listener{api, metrics} {
		go func() { served <- servers[i].Serve(listener) }()
	}
	s.log.Info("the store serves", "address", api.Addr().String(), "tls", tlsConfig != nil, "sinks", s.backends.sinks)
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	s.draining.Store(true)
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Drain)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(patience) != nil {
			err = errors.Join(err, server.Close())
		}
	}
	return errors.Join(err, s.backends.close(patience))
}

func (s *Service) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       crowd.IdleTime,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// probes serves /healthz and /readyz. The kubelet asks the port of the metrics, which has
// no TLS, and the controller that of the API, as nodes reach it.
func (s *Service) probes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, struct{}{}) })
	mux.HandleFunc("GET /readyz", s.ready)
	return mux
}

func (s *Service) handler() http.Handler {
	mux := s.probes()
	mux.Handle("/", newAPI(s.keys, s.config, s.metrics, s.backends.Backends, s.log))
	return mux
}

func (s *Service) metricsHandler() http.Handler {
	mux := s.probes()
	serve := s.metrics.handler()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
		defer cancel()
		for kind, up := range s.backends.up(ctx) {
			value := 0.0
			if up {
				value = 1
			}
			s.metrics.up.WithLabelValues(kind, s.backends.sinks[kind]).Set(value)
		}
		serve.ServeHTTP(w, r)
	})
	return mux
}

// ready reports whether the databases can be used. It is for people and for the
// controller; a probe of Kubernetes asks /healthz, because a store whose database is away
// must still say so to nodes.
func (s *Service) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	err := s.backends.ping(ctx)
	if s.draining.Load() {
		err = errors.New("the store is stopping")
	}
	if err != nil {
		respond(w, http.StatusServiceUnavailable, wire.Failure{Error: err.Error()})
		return
	}
	respond(w, http.StatusOK, struct{}{})
}
