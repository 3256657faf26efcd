package image

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"krt.dev/kn-krt/pkg/image/layer"
	"krt.dev/kn-krt/pkg/krt"
)

// defaultPlatform is ko's.
const defaultPlatform = "linux/amd64"

// base is a base image of nodes, for one platform.
type base struct {
	ref      name.Reference
	digest   v1.Hash // of the image for the platform
	image    v1.Image
	platform v1.Platform
	config   *v1.ConfigFile
	media    types.MediaType // of the image's layers
	whole    *remote.Descriptor
}

// baseName returns the base image of node n, and what it requires in addition to its own requirements.
func (o Options) baseName(b *krt.Bundle, n krt.Node) (image string, requirements []string) {
	image, runner := o.lookUp(n.Image)
	switch {
	case !runner:
		return image, nil
	case b.Kind(n) != krt.KindPython:
		return cmp.Or(o.GoBase, o.Bases["go"], DefaultGoBase), nil
	case o.PythonBase == "" && o.Bases["python"] == "":
		return DefaultPythonBase, []string{"protobuf"}
	}
	return cmp.Or(o.PythonBase, o.Bases["python"]), nil
}

// lookUp returns what Bases has for an image of a manifest, or the image itself. runner is true for one of
// the original's runners for which nothing else is set.
func (o Options) lookUp(image string) (found string, runner bool) {
	names := Names(image)
	for _, name := range names {
		if base := o.Bases[name]; base != "" {
			return base, false
		}
	}
	return image, krt.OriginalRunner(image)
}

// Names are what an image of a manifest may be called in [Options.Bases]: as it is,
// without its tag, and without its registry as well.
func Names(image string) []string {
	bare, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndexByte(bare, ':'); i > strings.LastIndexByte(bare, '/') {
		bare = bare[:i]
	}
	return []string{image, bare, path.Join(path.Base(path.Dir(bare)), path.Base(bare))}
}

// bases returns the base image for each platform that images are made for.
func (s *session) bases(ctx context.Context, image string) ([]base, error) {
	type key string
	return once(s.memo, key(image), func() ([]base, error) {
		ref, err := name.ParseReference(image, s.o.nameOptions()...)
		if err != nil {
			return nil, fmt.Errorf("base image %q: %w", image, err)
		}
		d, err := remote.Get(ref, append(slices.Clone(s.remote), remote.WithContext(ctx))...)
		if err != nil {
			return nil, registryError(ctx, DoingReadBase, ref.Name(), err)
		}
		found, err := s.chooseBases(ref, d)
		if err != nil {
			return nil, registryError(ctx, DoingReadBase, ref.Name(), err)
		}
		for i := range found {
			found[i].whole = d
		}
		return found, nil
	})
}

// chooseBases takes the wanted platforms out of an image.
func (s *session) chooseBases(ref name.Reference, d *remote.Descriptor) ([]base, error) {
	if !d.MediaType.IsIndex() {
		image, err := d.Image()
		if err != nil {
			return nil, err
		}
		b, err := newBase(ref, image, nil)
		if err != nil {
			return nil, err
		}
		if wanted := s.o.Platforms; len(wanted) > 0 && (len(wanted) > 1 || !satisfies(b.platform, wanted[0])) {
			return nil, &PlatformError{Image: ref.Name(), Wanted: wanted, Have: []string{b.platform.String()}}
		}
		return []base{b}, nil
	}
	index, err := d.ImageIndex()
	if err != nil {
		return nil, err
	}
	return s.chooseFrom(ref, index)
}

// chooseFrom takes the wanted platforms out of an index.
func (s *session) chooseFrom(ref name.Reference, index v1.ImageIndex) ([]base, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	wanted, have := s.o.Platforms, []string{}
	if len(wanted) == 0 {
		wanted = []string{defaultPlatform}
	}
	var chosen []base
	for _, platform := range wanted {
		at := slices.IndexFunc(manifest.Manifests, func(d v1.Descriptor) bool {
			return d.MediaType.IsImage() && d.Platform != nil && satisfies(*d.Platform, platform)
		})
		if at < 0 {
			for _, d := range manifest.Manifests {
				if d.Platform != nil && d.Platform.OS != "unknown" { // an attestation
					have = append(have, d.Platform.String())
				}
			}
			return nil, &PlatformError{Image: ref.Name(), Wanted: []string{platform}, Have: have}
		}
		d := manifest.Manifests[at]
		image, err := index.Image(d.Digest)
		if err != nil {
			return nil, err
		}
		b, err := newBase(ref, image, d.Platform)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, b)
	}
	return chosen, nil
}

// satisfies reports whether an image for have runs on the wanted platform.
func satisfies(have v1.Platform, wanted string) bool {
	want, err := v1.ParsePlatform(wanted)
	return err == nil && have.Satisfies(*want)
}

// newBase reads what is asked of the image below; its layers stay where they are.
func newBase(ref name.Reference, image v1.Image, platform *v1.Platform) (base, error) {
	b := base{ref: ref, image: image, media: types.DockerLayer}
	var err error
	if b.digest, err = image.Digest(); err != nil {
		return b, err
	}
	if b.config, err = image.ConfigFile(); err != nil {
		return b, err
	}
	media, err := image.MediaType()
	if err != nil {
		return b, err
	}
	if media == types.OCIManifestSchema1 {
		b.media = types.OCILayer
	}
	b.platform = v1.Platform{OS: cmp.Or(b.config.OS, "linux"), Architecture: cmp.Or(b.config.Architecture, "amd64"), Variant: b.config.Variant}
	if platform != nil {
		b.platform = *platform
	}
	return b, nil
}

// annotations name the base image, as ko's do.
func (b base) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.base.digest": b.digest.String(),
		"org.opencontainers.image.base.name":   b.ref.Name(),
	}
}

// countedImage counts what is sent of a base's layers, which happens when a registry can
// neither have nor mount them.
type countedImage struct {
	v1.Image
	ref  name.Reference
	sent *atomic.Int64
}

// Layers are counted.
func (i countedImage) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	for at, l := range layers {
		layers[at] = i.count(l)
	}
	return layers, err
}

// LayerByDigest is counted.
func (i countedImage) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	l, err := i.Image.LayerByDigest(h)
	return i.count(l), err
}

func (i countedImage) count(l v1.Layer) v1.Layer {
	if mountable, ok := l.(*remote.MountableLayer); ok {
		l = mountable.Layer
	}
	return &remote.MountableLayer{Layer: countedLayer{l, i.sent}, Reference: i.ref}
}

type countedLayer struct {
	v1.Layer
	sent *atomic.Int64
}

// Compressed is called when the registry lacks the layer.
func (l countedLayer) Compressed() (io.ReadCloser, error) {
	content, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return layer.Counted(content, l.sent), nil
}
