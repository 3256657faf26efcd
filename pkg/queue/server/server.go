package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"

	"krt.dev/kn-krt/pkg/crowd"
	"krt.dev/kn-krt/pkg/keypair"
)

const (
	// startTime is how long the server may take to start.
	startTime = time.Minute
	// stopTime is how long requests for metrics may take at the end.
	stopTime = 3 * time.Second
	// lazySync is how often all that was not yet made to last is, where each event is.
	lazySync = 2 * time.Minute
)

// Queue is a queue that runs.
type Queue struct {
	config   Config
	log      *slog.Logger
	access   *access
	nats     *nats.Server
	lock     *os.File // of the folder
	draining atomic.Bool
	failed   atomic.Bool // something could not be written
}

// Main runs a queue with the flags in args until ctx ends, and logs to stderr. See [Config] for
// what these mean.
func Main(ctx context.Context, args []string, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	q, err := Start(ctx, c, slog.New(slog.NewJSONHandler(stderr, nil)))
	if err != nil {
		return err
	}
	metrics, err := new(net.ListenConfig).Listen(ctx, "tcp", q.config.Metrics)
	if err != nil {
		q.Stop()
		return err
	}
	return q.Serve(ctx, metrics)
}

// Start starts a queue, which lets clients in once it has read what it kept. Errors are those of
// keys, certificates and addresses that cannot be used, and of a folder that cannot be read.
func Start(ctx context.Context, c Config, log *slog.Logger) (*Queue, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	access, err := newAccess(c.Keys, log)
	if err != nil {
		return nil, err
	}
	options, err := c.options(access)
	if err != nil {
		return nil, err
	}
	locked, err := lock(ctx, c.Folder)
	if err != nil {
		return nil, err
	}
	s, err := nats.NewServer(options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the queue: %w", err), locked.Close())
	}
	access.server = s
	q := &Queue{config: c, log: log, access: access, nats: s, lock: locked}
	s.SetLogger(&logger{log: log, failed: q.fail}, false, false)
	s.Start()
	if !s.ReadyForConnections(startTime) || !s.JetStreamEnabled() {
		q.Stop()
		return nil, fmt.Errorf("cannot start the queue with the folder %q: the log has the cause", c.Folder)
	}
	log.Info("the queue reads what it has kept, and listens then", "folder", c.Folder)
	if err := access.recover(c.Folder); err != nil {
		q.Stop()
		return nil, err
	}
	if s.AcceptLoop(make(chan struct{})); s.Addr() == nil {
		q.Stop()
		return nil, fmt.Errorf("cannot listen at %s: the log has the cause", c.Listen)
	}
	go access.keys.Follow(ctx)
	log.Info("the queue serves", "address", s.Addr().String(), "tls", options.TLSConfig != nil, "sync", c.Sync.String())
	return q, nil
}

// options are those of the server of NATS.
func (c Config) options(access *access) (*nats.Options, error) {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("-listen: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("-listen: the port %q is not a number from 0 to 65535", port)
	}
	o := &nats.Options{
		ServerName: "krt-queue", Host: host, Port: int(number), NoSigs: true, NoLog: false,
		DontListen:                 true, // until all that was kept is read
		CustomClientAuthentication: access, AuthTimeout: authTime, MaxConn: c.Connections,
		JetStream: true, StoreDir: c.Folder, JetStreamMaxStore: c.Bytes, JetStreamMaxMemory: -1,
		MaxPayload: int32(c.Payload), // check has bounded it
		SyncAlways: c.Sync == 0, SyncInterval: c.Sync, DisableJetStreamBanner: true,
	}
	if o.MaxPending = max(64<<20, 4*int64(c.Payload)); number == 0 {
		o.Port = nats.RANDOM_PORT
	}
	if o.SyncAlways {
		o.SyncInterval = lazySync
	}
	if o.TLSConfig, err = keypair.Config(c.TLS, access.log); err != nil {
		return nil, err
	}
	if o.TLSConfig != nil {
		o.TLS, o.TLSTimeout = true, 5
	}
	return o, nil
}

// fail has the queue serve no streams any more, because one cannot be written: clients are told so at once,
// where that stream alone would not respond, and the process is to be started again.
func (q *Queue) fail() {
	if q.failed.Swap(true) {
		return
	}
	q.log.Error("the queue cannot write to its folder, and serves nothing until it is started again: is the volume full?",
		"folder", q.config.Folder)
	go func() { // whoever logs has locks
		if err := q.nats.ShutdownJetStream(); err != nil {
			q.log.Error("cannot end what the queue serves", "error", err)
		}
	}()
}

// Addr is the address at which clients connect.
func (q *Queue) Addr() string { return q.nats.Addr().String() }

// Stop ends all connections and writes what is not written yet.
func (q *Queue) Stop() {
	q.draining.Store(true)
	q.nats.Shutdown()
	q.nats.WaitForShutdown()
	_ = q.lock.Close() // nothing is written any more
}

// Serve serves probes and metrics until ctx ends, and stops the queue. It is called once.
func (q *Queue) Serve(ctx context.Context, metrics net.Listener) error {
	server := &http.Server{
		Handler: q.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: crowd.IdleTime, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(q.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(crowd.Listen(metrics, server, 0)) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	q.Stop()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if server.Shutdown(patience) != nil {
		err = errors.Join(err, server.Close())
	}
	return err
}

// Handler serves /healthz, /readyz and /metrics.
func (q *Queue) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if q.failed.Load() {
			http.Error(w, "the queue could not write to its folder: it must be started again", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := q.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", newMetrics(q).handler())
	return mux
}

// Ready returns why the queue cannot be used now, if it cannot.
func (q *Queue) Ready() error {
	if q.draining.Load() {
		return errors.New("the queue is stopping")
	}
	if q.failed.Load() || !q.nats.JetStreamEnabled() {
		return errors.New("the queue cannot write to its folder: see its log, and whether the volume is full")
	}
	return nil
}
