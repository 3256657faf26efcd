package image

import (
	"context"
	"fmt"
	"sync/atomic"

	"krt.dev/kn-krt/pkg/image/artifact"
	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/krt"
)

// filesName is in the tag of the artifact where a node's name is in those of images.
const filesName = "files"

// Files pushes the [artifact] with the bundle's files for people, and returns its
// reference by digest; "" if there are none. The error is an *artifact.LimitError if they are too large,
// a *RegistryError when a request to a registry fails, or another error.
func (b *Builder) Files(ctx context.Context, bundle *krt.Bundle) (string, error) {
	s, err := b.session(ctx, bundle)
	if err != nil {
		return "", fmt.Errorf("cannot push the files of the version: %w", err)
	}
	defer s.close()
	picked, err := artifact.Pick(s.files)
	if err != nil || len(picked) == 0 {
		return "", err
	}
	placed := make([]layer.Placed, len(picked))
	for i, f := range picked {
		placed[i] = layer.Placed{File: f, To: f.Name}
	}
	blob, err := s.layers.Blob(ctx, "", layer.OfFiles(bundle.Dir, placed))
	if err != nil {
		return "", fmt.Errorf("cannot push the files of the version: %w", err)
	}
	files, err := artifact.New(blob.In(ctx, artifact.LayerType, new(atomic.Int64)))
	if err != nil {
		return "", err
	}
	return s.push(ctx, filesName, made{image: files})
}
