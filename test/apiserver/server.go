// Package apiserver starts a real Kubernetes apiserver, with etcd behind it and
// nothing else, for tests of what talks to one: no node, no controllers, no
// root, and up within seconds. `make test-api` builds the program it runs.
package apiserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"krt.dev/kn-krt/test/freeport"
)

// Options say what to run. Program is needed.
type Options struct {
	Program string        // the program built from test/cluster/kube
	CRDs    []string      // YAML files of CRDs to install, as patterns of filepath.Glob; one that no file matches is an error
	Limit   time.Duration // how long the start may take; default [Patience]
}

// Server is a running apiserver.
type Server struct {
	URL        string // https://127.0.0.1:PORT
	Kubeconfig string // a file that makes its reader a cluster administrator
	CAFile     string // the certificate to trust
	Token      string // an administrator's bearer token

	dir    string
	client *http.Client
	abort  context.CancelCauseFunc // ends the start
	stops  []func()
}

// Start runs etcd and an apiserver with all their files below dir, and returns
// when the apiserver is ready and serves the CRDs. The caller must Stop it.
// When a program fails, the error has the last lines of its log.
func Start(ctx context.Context, dir string, o Options) (*Server, error) {
	if o.Limit == 0 {
		o.Limit = Patience
	}
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	s := &Server{dir: dir, Token: rand.Text(), abort: abort}
	if err := s.start(ctx, o); err != nil {
		s.Stop()
		return nil, fmt.Errorf("cannot start an apiserver: %w", err)
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	if err := s.writeCredentials(); err != nil {
		return err
	}
	// Sockets in the folder need no free ports.
	client, peer := "unix://"+s.path("etcd.sock"), "unix://"+s.path("peer.sock")
	// What it tells other members, of which there are none, must look like an address.
	const nobody = "http://127.0.0.1:1"
	err := s.spawn("etcd", o.Program, "etcd", "--data-dir="+s.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+client, "--advertise-client-urls="+nobody,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+nobody, "--initial-cluster=default="+nobody)
	if err != nil {
		return err
	}
	port, err := freeport.Find(ctx, "127.0.0.1")
	if err != nil {
		return err
	}
	s.URL = fmt.Sprintf("https://127.0.0.1:%d", port)
	err = s.spawn("apiserver", o.Program, "kube-apiserver", "--etcd-servers="+client,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir="+s.path("cert"),
		"--token-auth-file="+s.path("tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+s.path("sa.key"), "--service-account-signing-key-file="+s.path("sa.key"),
		"--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged",
		// Nothing makes service accounts here, and pods without one are to be accepted.
		"--disable-admission-plugins=ServiceAccount")
	if err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("%w\nthe apiserver's last lines:\n%s\netcd's:\n%s", err, s.tail("apiserver"), s.tail("etcd"))
	}
	if len(o.CRDs) == 0 {
		return nil
	}
	return s.InstallCRDs(ctx, o.CRDs...)
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// Stop ends both programs and waits until they have ended. It may be called twice.
func (s *Server) Stop() {
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
	s.stops = nil
}

// Client trusts the server and carries no credentials: requests bear Token.
func (s *Server) Client() *http.Client { return s.client }

func (s *Server) writeCredentials() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return errors.Join(
		os.WriteFile(s.path("sa.key"), block, 0o600),
		os.WriteFile(s.path("tokens.csv"), []byte(s.Token+`,admin,admin,"system:masters"`+"\n"), 0o600),
	)
}
