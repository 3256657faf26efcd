package image

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// shortDigest is how much of a digest makes a tag unique.
const shortDigest = 12

// push pushes what was made for the name, a node's as a rule, and returns its reference. If its tag
// exists, so does all of it, and one request is enough.
func (s *session) push(ctx context.Context, name string, m made) (string, error) {
	digest, err := m.image.Digest()
	if err != nil {
		return "", registryError(ctx, "read the base of", s.repo.Name(), err)
	}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error {
		return s.pusher.Push(inner, s.repo.Tag(tag(s.bundle.Manifest.Version, name, digest)), m.image)
	})
	for about, document := range m.documents {
		group.Go(func() error {
			// Where cosign and ko look for it.
			return s.pusher.Push(inner, s.repo.Tag(about.Algorithm+"-"+about.Hex+".sbom"), document)
		})
	}
	if err := group.Wait(); err != nil {
		return "", registryError(ctx, "push to", s.repo.Name(), err)
	}
	return s.repo.Digest(digest.String()).Name(), nil
}

// tag keeps an image from being removed as untagged. It has the names that people search for.
func tag(version, node string, digest v1.Hash) string {
	return version + "-" + node + "-" + digest.Hex[:shortDigest]
}
