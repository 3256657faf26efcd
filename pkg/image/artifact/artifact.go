// Package artifact is the OCI artifact with the files of a version that are for people, not for its
// nodes: what the bundle has below docs/ and metrics/, and its examples. It is next to the images in the registry, and a
// Version refers to it by digest. The same files give the same digest.
//
// It is a manifest of one layer, a compressed tar, whose config has the media type [Type]: how the OCI
// image specification marks an artifact for registries that do not know artifactType yet.
package artifact

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/example"
)

// Media types of the artifact and of its layer.
const (
	Type      types.MediaType = "application/vnd.krt.files.v1"
	LayerType types.MediaType = "application/vnd.krt.files.v1.tar+gzip"
)

// Limits of an artifact, kept where it is made and where it is read.
const (
	MaxFiles = 500
	MaxBytes = 16 << 20 // of all files
	maxName  = 255      // bytes of a path
)

// folders are those of which all files are in the artifact.
func folders() []string { return []string{"docs/", "metrics/"} }

// LimitError is returned for files that are more, or larger, than an artifact holds.
type LimitError struct{ Text string }

// Error names the limit.
func (e *LimitError) Error() string {
	return "docs/, metrics/ and " + example.Folder + "/ have " + e.Text
}

// Pick returns those of a bundle's files that belong into its artifact, or a [LimitError]. Examples that
// are too large to be read are left out.
func Pick(files []archive.File) (picked []archive.File, err error) {
	var size int64
	for _, f := range files {
		if !belongs(f.Name) || example.Is(f.Name) && f.Info.Size() > example.MaxBytes {
			continue
		}
		picked = append(picked, f)
		size += f.Info.Size()
		switch {
		case len(picked) > MaxFiles:
			return nil, &LimitError{fmt.Sprintf("more than %d files", MaxFiles)}
		case size > MaxBytes:
			return nil, &LimitError{fmt.Sprintf("more than %d MiB", MaxBytes>>20)}
		case len(f.Name) > maxName:
			return nil, &LimitError{fmt.Sprintf("a file whose path is longer than %d bytes: %.40q…", maxName, f.Name)}
		}
	}
	return picked, nil
}

// belongs reports whether the path is one of an artifact's files.
func belongs(name string) bool {
	below := func(folder string) bool { return strings.HasPrefix(name, folder) }
	return path.Clean(name) == name && (slices.ContainsFunc(folders(), below) || example.Is(name))
}

// New returns the artifact whose files are in the layer, as a registry takes it.
func New(files v1.Layer) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), Type)
	return mutate.Append(image, mutate.Addendum{Layer: files, MediaType: LayerType})
}

// errForm is what is wrong with an artifact of another form.
var errForm = errors.New("it is not an artifact with the files of a version")
