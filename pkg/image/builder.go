package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"krt.dev/kn-krt/pkg/gobuild"
	"krt.dev/kn-krt/pkg/image/cache"
	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/archive"
)

// repository is where all node images are, below [Options.Repo].
const repository = "krt-nodes"

// jobsOfRegistry is how many requests of one image go to a registry at a time.
const jobsOfRegistry = 8

// Builder makes node images. It may be used by several goroutines, and remembers
// what a registry has.
type Builder struct {
	o      Options
	cache  cache.Dir
	repo   name.Repository
	remote []remote.Option
	pusher *remote.Pusher
}

// New returns a Builder. No registry is asked for anything yet.
func New(o Options) (*Builder, error) {
	b, err := newBuilder(o)
	if err != nil {
		return nil, fmt.Errorf("cannot make images: %w", err)
	}
	return b, nil
}

func newBuilder(o Options) (*Builder, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	repo, err := o.repository()
	if err != nil {
		return nil, err
	}
	options := []remote.Option{remote.WithAuthFromKeychain(o.Keychain), remote.WithUserAgent("kn-krt"), remote.WithJobs(jobsOfRegistry),
		remote.WithTransport(o.Transport)}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return nil, err
	}
	kept, err := cache.Open(o.Cache)
	if err != nil {
		return nil, err
	}
	return &Builder{o: o, cache: kept, repo: repo, remote: options, pusher: pusher}, nil
}

// Build makes the image of one node of the bundle, pushes it and returns its reference by
// digest. The image of a node that has no code in the bundle is returned as the manifest
// has it. The error is a *gobuild.Error when Go code does not compile, a *RegistryError
// when a request to a registry fails, or another error.
func (b *Builder) Build(ctx context.Context, bundle *krt.Bundle, n krt.Node) (string, error) {
	s, err := b.session(ctx, bundle)
	if err != nil {
		return "", fmt.Errorf("cannot make the image of node %q: %w", n.Name, err)
	}
	defer s.close()
	return s.build(ctx, n)
}

// BuildAll is Build for each node of the bundle, and returns the references by node. All
// failures are returned at once; one that concerns more than one node, such as a registry's, ends all builds.
func (b *Builder) BuildAll(ctx context.Context, bundle *krt.Bundle) (map[string]string, error) {
	s, err := b.session(ctx, bundle)
	if err != nil {
		return nil, fmt.Errorf("cannot make images: %w", err)
	}
	defer s.close()
	nodes := bundle.Manifest.Nodes
	refs, errs := make([]string, len(nodes)), make([]error, len(nodes))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(b.o.Jobs)
	for i, n := range nodes {
		group.Go(func() error {
			refs[i], errs[i] = s.build(inner, n)
			if concernsAll(errs[i]) {
				return errs[i]
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := errors.Join(distinct(errs)...); err != nil {
		return nil, err
	}
	images := map[string]string{}
	for i, n := range nodes {
		images[n.Name] = refs[i]
	}
	return images, nil
}

// distinct removes duplicates: nodes of the same code fail in the same way.
func distinct(errs []error) (kept []error) {
	said := map[string]bool{}
	for _, err := range errs {
		if err != nil && !said[err.Error()] {
			said[err.Error()] = true
			kept = append(kept, err)
		}
	}
	return kept
}

// session is one call of Build or BuildAll.
type session struct {
	*Builder
	bundle *krt.Bundle
	files  []archive.File
	// work holds files of this call alone.
	work   string
	layers layer.Maker
	sdks   func() ([]gobuild.SDK, error)
	// koConfig is ko's configuration, read when the first node needs it.
	koConfig func() (koConfig, error)
	memo     *memo
	split    func(krt.Node) split
}

func (b *Builder) session(ctx context.Context, bundle *krt.Bundle) (*session, error) {
	listed, err := bundle.Contents(ctx, b.o.Limits)
	if err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(b.cache.Path(cache.Work, ""), "")
	if err != nil {
		return nil, err
	}
	s := &session{Builder: b, bundle: bundle, files: listed.Files, work: work, memo: newMemo()}
	s.layers = layer.Maker{Cache: b.cache, Work: work}
	s.sdks = sync.OnceValues(func() ([]gobuild.SDK, error) { return gobuild.Carry(b.cache.Path(cache.SDKs, "")) })
	s.koConfig = sync.OnceValues(s.readKo)
	s.split = splitter(bundle, listed.Files)
	return s, nil
}

func (s *session) close() {
	_ = os.RemoveAll(s.work)
	s.cache.Evict()
}

// build makes and pushes the image of n.
func (s *session) build(ctx context.Context, n krt.Node) (string, error) {
	if s.bundle.Kind(n) == krt.KindImage {
		return n.Image, nil
	}
	began := time.Now()
	made, err := s.make(ctx, n)
	if err != nil {
		return "", nodeError(ctx, n, err)
	}
	s.o.Progress(Event{Type: EventPushing, Node: n.Name, Size: made.size})
	ref, err := s.push(ctx, n.Name, made)
	if err != nil {
		return "", nodeError(ctx, n, err)
	}
	s.o.Progress(Event{Type: EventDone, Node: n.Name, Image: ref, Size: made.size, Sent: made.sent.Load(), Elapsed: time.Since(began)})
	return ref, nil
}
