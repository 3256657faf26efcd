package image

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// content writes a layer's files as a tar.
type content func(ctx context.Context, w io.Writer) error

// descriptor is what images and registries know of a layer.
type descriptor struct {
	Digest, DiffID v1.Hash
	Size           int64
}

// blob is a layer's content, shared by the images that have it. Its file is made when a
// registry lacks it, or when its digest is not known yet.
type blob struct {
	descriptor
	key   string // under which the cache knows the descriptor; "" for not at all
	write content
	s     *session

	mu   sync.Mutex
	file string // "" when not made yet
}

// blob returns the content that write writes. If the cache knows key, nothing is
// written for now.
func (s *session) blob(ctx context.Context, key string, write content) (*blob, error) {
	b := &blob{key: key, write: write, s: s}
	if key != "" {
		text, err := os.ReadFile(b.cacheFile())
		if err == nil && json.Unmarshal(text, &b.descriptor) == nil && b.Size > 0 {
			used(b.cacheFile(), time.Now())
			return b, nil
		}
	}
	file, d, err := b.make(ctx)
	if err != nil {
		return nil, err
	}
	b.file, b.descriptor = file, d
	if key == "" {
		return b, nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return b, writeWhole(b.cacheFile(), text)
}

func (b *blob) cacheFile() string {
	return filepath.Join(b.s.o.Cache, cachedLayers, b.key+".json")
}

// make writes the compressed content to a file of the session.
func (b *blob) make(ctx context.Context) (string, descriptor, error) {
	file, err := os.CreateTemp(b.s.work, "layer-")
	if err != nil {
		return "", descriptor{}, err
	}
	packed, plain := newCounter(file), newCounter(nil)
	zip, err := gzip.NewWriterLevel(packed, gzip.BestSpeed)
	if err != nil {
		return "", descriptor{}, errors.Join(err, file.Close())
	}
	plain.to = zip
	err = errors.Join(b.write(ctx, plain), zip.Close(), file.Close())
	return file.Name(), descriptor{Digest: packed.hash(), DiffID: plain.hash(), Size: packed.count}, err
}

// open returns the compressed content.
func (b *blob) open(ctx context.Context) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == "" {
		file, d, err := b.make(ctx)
		if err != nil {
			return nil, err
		}
		if d != b.descriptor {
			// What the cache believed was wrong, or a file changed right now.
			return nil, errors.Join(errors.New("a file of the bundle changed while its image was made: try again"), os.Remove(b.cacheFile()))
		}
		b.file = file
	}
	return os.Open(b.file)
}

// counter hashes and counts what passes.
type counter struct {
	to    io.Writer
	sum   hash.Hash
	count int64
}

func newCounter(to io.Writer) *counter { return &counter{to: to, sum: sha256.New()} }

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.sum.Write(p[:n])
	c.count += int64(n)
	return n, err
}

func (c *counter) hash() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(c.sum.Sum(nil))}
}

// layer is a blob in one image: it counts what is sent for it. It is a v1.Layer.
type layer struct {
	*blob
	ctx   context.Context //nolint:containedctx // v1.Layer's methods take none, and it lives as long as the session
	media types.MediaType
	sent  *atomic.Int64
}

var _ v1.Layer = layer{}

// Digest is the hash of the compressed content.
func (l layer) Digest() (v1.Hash, error) { return l.blob.Digest, nil }

// DiffID is the hash of the content.
func (l layer) DiffID() (v1.Hash, error) { return l.blob.DiffID, nil }

// Size is the compressed content's, in bytes.
func (l layer) Size() (int64, error) { return l.blob.Size, nil }

// MediaType is that of the base's layers: registries want one kind.
func (l layer) MediaType() (types.MediaType, error) { return l.media, nil }

// Compressed is called when the registry lacks the layer.
func (l layer) Compressed() (io.ReadCloser, error) {
	content, err := l.open(l.ctx)
	if err != nil {
		return nil, err
	}
	return counted{content, l.sent}, nil
}

// Uncompressed returns the tar.
func (l layer) Uncompressed() (io.ReadCloser, error) {
	content, err := l.open(l.ctx)
	if err != nil {
		return nil, err
	}
	unzipped, err := gzip.NewReader(content)
	if err != nil {
		return nil, errors.Join(err, content.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{unzipped, content}, nil
}

// counted adds what is read to a count.
type counted struct {
	io.ReadCloser
	count *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.count.Add(int64(n))
	return n, err
}

// writeWhole writes a file that is either whole or not there.
func writeWhole(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot keep %q: %w", filepath.Base(path), err), os.Remove(file.Name()))
	}
	return nil
}
