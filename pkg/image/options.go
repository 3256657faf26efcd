package image

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"krt.dev/kn-krt/pkg/krt/archive"
)

// Base images where none is configured.
const (
	// DefaultGoBase is ko's own.
	DefaultGoBase = "cgr.dev/chainguard/static:latest"
	// DefaultPythonBase has no protobuf, which every Python node needs: nodes on it
	// get it with their requirements.
	DefaultPythonBase = "docker.io/library/python:3.13-slim"
)

// Options configure where node images go and which base images they have. The zero value of each field
// means its default, unless documented otherwise.
type Options struct {
	// Repo is the registry's path for images, as ko's KO_DOCKER_REPO; required. They go to
	// the repository krt-nodes below it.
	Repo string
	// Insecure lets registries be reached by plain HTTP. Those of this machine always may.
	Insecure bool
	// GoBase and PythonBase are the base images of nodes whose manifest names one of the
	// original's runners. Defaults: DefaultGoBase, DefaultPythonBase. That of Python has
	// Python 3.9 or later and its package protobuf. If it is the image of cmd/runner, built
	// by ko on such a base, it has the runner too.
	GoBase, PythonBase string
	// Bases are other base images, by what manifests call them: with or without tag, with
	// or without registry ("konstellation/kre-py"). "go" and "python" are what GoBase and
	// PythonBase are when empty. An image that is not in it is a base as it is.
	Bases map[string]string
	// Platforms are the platforms that images are made for ("linux/arm64"); several give an index.
	// Default: that of a base for one platform, else linux/amd64.
	Platforms []string
	// Runner is put into images of Python nodes whose base has none.
	Runner Program
	// Progress is called with each event, by several goroutines at a time. Default: no one is.
	Progress func(Event)
	// Keychain has the credentials for registries. Default: those of Docker's configuration.
	Keychain authn.Keychain
	// Transport carries requests to registries. Default: go-containerregistry's, which
	// gives up on a registry that accepts a request and does not respond.
	Transport http.RoundTripper
	// Jobs is how many nodes are worked on at a time. Default: the number of processors.
	Jobs int
	// Cache is the folder of what is kept between builds: Go programs, requirements, digests of
	// layers. Default: kn-krt/image in the user's cache folder. It may be deleted any time.
	Cache string
	// NoSBOM leaves out the SPDX document that is attached to each image as ko does.
	NoSBOM bool
	// Python is the interpreter whose pip gets requirements. Default: KRT_PYTHON, else python3.
	Python string
	// PythonVersion ("3.12") is that of Python bases. Default: their variable PYTHON_VERSION, else the
	// version of the interpreter found in them.
	PythonVersion string
	// Limits bounds bundles.
	Limits archive.Limits
}

// Program is an executable file for Linux, linked statically.
type Program struct {
	// Path is the file's path; empty for no program.
	Path string
	// Args are its first arguments.
	Args []string
}

// Errors of New.
var (
	// ErrNoRepo is returned when no registry is configured.
	ErrNoRepo = errors.New("no registry for images is set")
)

// withDefaults fills in what is not set.
func (o Options) withDefaults() (Options, error) {
	if o.Repo == "" {
		return o, ErrNoRepo
	}
	if o.Jobs <= 0 {
		o.Jobs = runtime.NumCPU()
	}
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.Transport == nil {
		o.Transport = newPatient()
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	for _, p := range o.Platforms {
		if parsed, err := v1.ParsePlatform(p); err != nil || parsed.OS != "linux" || parsed.Architecture == "" {
			return o, fmt.Errorf("%q is not a platform for nodes: use one such as linux/amd64", p)
		}
	}
	if o.Cache == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return o, fmt.Errorf("cannot use the cache folder: %w", err)
		}
		o.Cache = filepath.Join(cache, "kn-krt", "image")
	}
	var err error
	o.Cache, err = filepath.Abs(o.Cache)
	return o, err
}

// How long a registry may take to respond to a request that it has received. To store a large
// layer takes some a minute.
const (
	readTime  = 20 * time.Second
	writeTime = 2 * time.Minute
)

// patient is go-containerregistry's transport with an end to its patience.
type patient struct{ reads, writes http.RoundTripper }

func newPatient() http.RoundTripper {
	within := func(limit time.Duration) http.RoundTripper {
		shared, ok := remote.DefaultTransport.(*http.Transport)
		if !ok {
			return remote.DefaultTransport
		}
		own := shared.Clone()
		own.ResponseHeaderTimeout = limit
		return own
	}
	return patient{within(readTime), within(writeTime)}
}

// RoundTrip implements [http.RoundTripper].
func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return p.reads.RoundTrip(r)
	}
	return p.writes.RoundTrip(r)
}

// CheckRepo returns what is wrong with repo as [Options.Repo], without a request to a registry.
func CheckRepo(repo string) error {
	_, err := Options{Repo: repo}.repository()
	return err
}

// repository is where images go.
func (o Options) repository() (name.Repository, error) {
	// ko takes the same spelling: registries know no upper case.
	repo, err := name.NewRepository(strings.ToLower(strings.TrimSuffix(o.Repo, "/"))+"/"+repository, o.nameOptions()...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("%q is not a registry path such as registry.example.com/team: %w", o.Repo, err)
	}
	return repo, nil
}

// nameOptions are those of every image reference.
func (o Options) nameOptions() []name.Option {
	if o.Insecure {
		return []name.Option{name.Insecure}
	}
	return nil
}
