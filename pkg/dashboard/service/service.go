package service

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/rest"

	"krt.dev/kn-krt/pkg/cluster"
	"krt.dev/kn-krt/pkg/crowd"
	"krt.dev/kn-krt/pkg/dashboard"
	"krt.dev/kn-krt/pkg/dashboard/bound"
	"krt.dev/kn-krt/pkg/dashboard/guard"
	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/keypair"
)

// drain is how long requests may take to end when the service ends. Streams end at once.
const drain = 10 * time.Second

// Service is a dashboard that runs in a cluster.
type Service struct {
	config Config
	log    *slog.Logger
	users  *users
	pages  http.Handler
}

// Main runs a dashboard with the flags in args and the environment until ctx ends, and logs to
// stderr.
func Main(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) error {
	c, err := parse(args, getenv, stderr)
	if err != nil {
		return err
	}
	s := New(c, slog.New(slog.NewJSONHandler(stderr, nil)))
	pages, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	probes, err := net.Listen("tcp", c.Probes)
	if err != nil {
		return errors.Join(err, pages.Close())
	}
	return s.Serve(ctx, pages, probes)
}

// New makes a dashboard. Nothing is sent to the API server before a user signs in.
func New(c Config, log *slog.Logger) *Service {
	s := &Service{config: c, log: log}
	s.users = newUsers(c, s.connect)
	options := dashboard.Options{
		Sources: sourceOf, User: func(r *http.Request) string { return userOf(r).name },
		Title: c.Title, Traces: c.Traces, ReadOnly: !c.Changes,
	}
	options.Creating.Reason = "This dashboard has no registry to push images to. " +
		"Create versions with kn krt create, or in kn krt dashboard."
	if c.SignIn {
		options.SignOut = "/sign-out"
	}
	s.pages = guard.Site(append(guard.Loopback(), c.Hosts...), guard.Bearer(guard.BearerOptions{
		Accept: s.accept, Header: c.TokenHeader, ProxyOnly: !c.SignIn, Command: "kubectl create token ACCOUNT -n NAMESPACE",
	}, dashboard.New(options)))
	return s
}

// connect makes a client that has no credentials but a token.
func (s *Service) connect(token, namespace string) (*cluster.Client, error) {
	return cluster.New(&rest.Config{
		Host: s.config.API, TLSClientConfig: rest.TLSClientConfig{CAFile: s.config.CA}, BearerToken: token, UserAgent: "kn-krt-dashboard",
	}, namespace)
}

// accept lets a token in that the API server accepts. What is served knows its user.
func (s *Service) accept(r *http.Request, token string) (*http.Request, error) {
	r, err := s.users.of(r, token)
	if isUnauthorized(err) {
		return nil, errUnauthorized
	}
	return r, err
}

// errUnauthorized is why a token is not let in.
var errUnauthorized = &guard.RefusedError{Text: "the cluster does not accept this token: it may have expired"}

// sourceOf shows a request's user what its token may see.
func sourceOf(r *http.Request) (source.Source, error) { return userOf(r).source, nil }

// Serve serves the pages and the probes until ctx ends. It closes both listeners, and is called
// once.
func (s *Service) Serve(ctx context.Context, pages, probes net.Listener) error {
	running, end := context.WithCancel(ctx)
	defer end()
	certificate, err := keypair.Config(s.config.TLS, s.log)
	if err != nil {
		return errors.Join(err, pages.Close(), probes.Close())
	}
	healthy := http.NewServeMux()
	healthy.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	servers := []*http.Server{s.server(running, s.pages), s.server(running, healthy)}
	pages, probes = crowd.Listen(pages, servers[0], 0), crowd.Listen(probes, servers[1], 0)
	if certificate != nil {
		pages = tls.NewListener(pages, certificate)
	}
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		s.users.sweep(running)
	}()
	served := make(chan error, len(servers))
	for i, listener := range []net.Listener{pages, probes} {
		go func() { served <- servers[i].Serve(listener) }()
	}
	s.log.Info("the dashboard serves", "address", pages.Addr().String(), "tls", certificate != nil, "changes", s.config.Changes)
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	end() // streams end, so that Shutdown does not wait for them
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	for _, server := range servers {
		if server.Shutdown(patience) != nil {
			err = errors.Join(err, server.Close())
		}
	}
	<-swept
	s.users.close()
	return err
}

// server has no limit for a whole response: pages are streams, and end with their readers.
func (s *Service) server(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       bound.Connection,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       crowd.IdleTime,
		MaxHeaderBytes:    32 << 10, // tokens with many groups are large
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}
