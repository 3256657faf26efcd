package apiserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/stretchr/testify/require"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Folder is config/, and OurCRDs are the files of our kinds in it, as the packages
// below this one see them.
const (
	Folder  = "../../../config"
	OurCRDs = Folder + "/300-*.yaml"
)

// KnativeCRDs is the file of Knative's kinds.
func KnativeCRDs() string { return os.Getenv("KRT_CRDS") }

func program() string { return os.Getenv("KRT_KUBE") }

// Need skips a test where Kubernetes is not built.
func Need(t testing.TB) {
	t.Helper()
	if program() == "" {
		t.Skip("needs Kubernetes built: make test-api")
	}
}

// For starts an apiserver with the CRDs of some files that ends with the test or benchmark.
// Where Kubernetes is not built it skips the test.
func For(t testing.TB, crds ...string) *Server {
	t.Helper()
	Need(t)
	s, err := Start(t.Context(), t.TempDir(), Options{Program: program(), CRDs: crds})
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

// Tests are those of a package: a [testing.M], or one that does more.
type Tests interface{ Run() (code int) }

// Main is a package's TestMain, with one apiserver for all its tests. It hands
// that to begin, and calls what begin returns, unless it is nil, after the tests.
// Where Kubernetes is not built begin is not called, and the tests must skip
// themselves by [Need].
func Main(m Tests, begin func(*Server) (end func() error, err error), crds ...string) {
	if program() == "" {
		os.Exit(m.Run())
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	code, err := run(m, begin, crds)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func run(m Tests, begin func(*Server) (func() error, error), crds []string) (code int, err error) {
	dir, err := os.MkdirTemp("", "apiserver-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	s, err := Start(context.Background(), dir, Options{Program: program(), CRDs: crds})
	if err != nil {
		return 0, err
	}
	defer s.Stop()
	end, err := begin(s)
	if err != nil {
		return 0, err
	}
	code = m.Run()
	if end != nil {
		err = end()
	}
	return code, err
}

// Run starts what runs until its context ends, as managers do. Stop, which may be
// called twice, ends it, waits until it has ended, and returns its errors.
func Run(parts ...interface{ Start(context.Context) error }) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part.Start(ctx) }()
	}
	return sync.OnceValue(func() (err error) {
		cancel()
		for range parts {
			err = errors.Join(err, <-ended)
		}
		return err
	})
}

// Patience is the time within which everything must have happened: what takes a second may take
// a minute where all packages are tested at once.
const Patience = 3 * time.Minute

// Soon calls ok until it is true, in the caller's goroutine, for [Patience] at most.
func Soon(ctx context.Context, ok func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	return poll(ctx, func() error {
		if !ok() {
			return errNotYet
		}
		return nil
	}) == nil
}

var errNotYet = errors.New("not yet")
