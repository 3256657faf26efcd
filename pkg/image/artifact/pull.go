package artifact

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// Bounds of what is read from a registry, in addition to those of the files.
const (
	maxPacked   = MaxBytes + 1<<20 // bytes of the compressed layer, for files that do not compress
	maxResponse = maxPacked + 1<<20
	maxEntries  = 2 * MaxFiles // of the tar, its folders included
)

// Options are how a registry is reached. The zero value is anonymous.
type Options struct {
	// Keychain has the credentials for registries. Default: none.
	Keychain authn.Keychain
	// Insecure lets registries be reached by plain HTTP. Those of this machine always may.
	Insecure bool
	// Transport carries the requests. Default: go-containerregistry's.
	Transport http.RoundTripper
	// Only are the registries, or paths in them, that are asked; nil for all. Whoever may write
	// versions chooses what is requested, so a program that others use names them.
	Only []string
}

// Pull reads the files of the artifact at ref, a reference by digest, which it verifies. What it reads
// is bounded, whoever has pushed it.
func Pull(ctx context.Context, ref string, o Options) (map[string][]byte, error) {
	files, err := o.pull(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("cannot read the files of the version from %.512q: %w", ref, err)
	}
	return files, nil
}

// strange matches what no host has and a reference may have: hints have the registry in a command that
// people copy into a shell.
var strange = regexp.MustCompile(`[^\w.:\[\]-]`)

func (o Options) pull(ctx context.Context, ref string) (map[string][]byte, error) {
	var options []name.Option
	if o.Insecure {
		options = append(options, name.Insecure)
	}
	digest, err := name.NewDigest(ref, options...)
	if err != nil || strange.MatchString(digest.Context().RegistryStr()) {
		return nil, errors.New("it is not a reference by digest")
	}
	if from := digest.Context().Name(); o.Only != nil && !slices.ContainsFunc(o.Only, func(only string) bool { return within(from, only) }) {
		return nil, errors.New("this registry is not one of those that are read")
	}
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain()
	}
	if o.Transport == nil {
		o.Transport = remote.DefaultTransport
	}
	image, err := remote.Image(digest, remote.WithContext(ctx), remote.WithAuthFromKeychain(o.Keychain),
		remote.WithTransport(bounded{o.Transport}), remote.WithUserAgent("kn-krt"))
	if err != nil {
		return nil, denied(err, digest, o.Keychain)
	}
	packed, err := open(image)
	if err != nil {
		return nil, denied(err, digest, o.Keychain)
	}
	files, err := Read(packed)
	return files, errors.Join(err, packed.Close())
}

// within reports whether the repository is in a registry, or in a path of it.
func within(repository, only string) bool {
	return strings.HasPrefix(repository+"/", strings.TrimSuffix(only, "/")+"/")
}

// open returns the artifact's compressed layer; reading it to its end verifies its digest.
func open(image v1.Image) (io.ReadCloser, error) {
	m, err := image.Manifest()
	if err != nil {
		return nil, err
	}
	// URLs would let the author of the artifact choose what is requested.
	if m.Config.MediaType != Type || len(m.Layers) != 1 || m.Layers[0].MediaType != LayerType || len(m.Layers[0].URLs) > 0 {
		return nil, errForm
	}
	if m.Layers[0].Size > maxPacked {
		return nil, fmt.Errorf("its layer is larger than %d bytes", maxPacked)
	}
	layer, err := image.LayerByDigest(m.Layers[0].Digest)
	if err != nil {
		return nil, err
	}
	return layer.Compressed()
}

// Read reads the files in packed, a compressed tar, to its end. Folders are skipped; anything that is
// not a file below docs/ or metrics/ or an example is an error, and so is more than the limits.
func Read(packed io.Reader) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	// A tar has 512 bytes and some for each entry.
	content := &io.LimitedReader{R: unzipped, N: MaxBytes + 2048*maxEntries}
	files, size := map[string][]byte{}, int64(0)
	archive := tar.NewReader(content)
	for n := 0; ; n++ {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			if err := drain(content, packed); err != nil {
				return nil, err
			}
			return files, nil
		case err != nil:
			return nil, err
		case n == maxEntries:
			return nil, &LimitError{fmt.Sprintf("more than %d entries", maxEntries)}
		case header.Typeflag == tar.TypeDir:
			continue
		}
		if err := check(header, files); err != nil {
			return nil, err
		}
		if size += header.Size; size > MaxBytes {
			return nil, &LimitError{fmt.Sprintf("more than %d MiB", MaxBytes>>20)}
		}
		if files[header.Name], err = untrusted.ReadAll(archive, header.Name, header.Size); err != nil {
			return nil, err
		}
	}
}

// check returns what is wrong with a file of the tar; files are those before it.
func check(h *tar.Header, files map[string][]byte) error {
	_, twice := files[h.Name]
	switch {
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("%.100q is not a file", h.Name)
	case !belongs(h.Name) || len(h.Name) > maxName:
		return fmt.Errorf("%.100q is not the path of a file below docs/ or metrics/, or of an example", h.Name)
	case twice:
		return fmt.Errorf("%.100q is there twice", h.Name)
	case len(files) == MaxFiles:
		return &LimitError{fmt.Sprintf("more than %d files", MaxFiles)}
	}
	return nil
}

// drain reads what follows the tar, and then the rest of the layer: only at its end is its digest
// verified.
func drain(content *io.LimitedReader, packed io.Reader) error {
	if _, err := io.Copy(io.Discard, content); err != nil {
		return err
	}
	if content.N == 0 {
		return &LimitError{"more than their limit in the archive"}
	}
	_, err := io.Copy(io.Discard, io.LimitReader(packed, maxPacked))
	return err
}

// bounded ends the body of a response after maxResponse bytes.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = limited{io.LimitReader(response.Body, maxResponse), response.Body}
	}
	return response, err
}

type limited struct {
	io.Reader
	io.Closer
}
