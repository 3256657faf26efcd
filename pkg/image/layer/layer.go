// Package layer makes layers of images from files: the same files give the same bytes. A layer that a
// registry has already is not made again.
package layer

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"krt.dev/kn-krt/pkg/image/cache"
)

// Content writes a layer's files as a tar.
type Content func(ctx context.Context, w io.Writer) error

// Descriptor is what images and registries know of a layer.
type Descriptor struct {
	Digest, DiffID v1.Hash
	Size           int64
}

// Maker makes layers.
type Maker struct {
	// Cache remembers what is known of layers, without their content.
	Cache cache.Dir
	// Work is a folder for files that live as long as the Maker.
	Work string
}

// Blob is a layer's content, shared by the images that have it. Its file is made when a
// registry lacks it, or when its digest is not known yet.
type Blob struct {
	Descriptor
	key   string // under which the cache knows the descriptor; "" for not at all
	write Content
	maker Maker

	mu   sync.Mutex
	file string // "" when not made yet
}

// Blob returns the content that write writes. If the cache knows key, nothing is
// written for now.
func (m Maker) Blob(ctx context.Context, key string, write Content) (*Blob, error) {
	b := &Blob{key: key, write: write, maker: m}
	if key != "" {
		text, err := os.ReadFile(b.cacheFile())
		if err == nil && json.Unmarshal(text, &b.Descriptor) == nil && b.Size > 0 {
			cache.Used(b.cacheFile(), time.Now())
			return b, nil
		}
	}
	file, d, err := b.make(ctx)
	if err != nil {
		return nil, err
	}
	b.file, b.Descriptor = file, d
	if key == "" {
		return b, nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return b, cache.Write(b.cacheFile(), text)
}

func (b *Blob) cacheFile() string {
	return b.maker.Cache.Path(cache.Layers, b.key+".json")
}

// make writes the compressed content to a file of the session.
func (b *Blob) make(ctx context.Context) (string, Descriptor, error) {
	file, err := os.CreateTemp(b.maker.Work, "layer-")
	if err != nil {
		return "", Descriptor{}, err
	}
	packed, plain := newCounter(file), newCounter(nil)
	zip, err := gzip.NewWriterLevel(packed, gzip.BestSpeed)
	if err != nil {
		return "", Descriptor{}, errors.Join(err, file.Close())
	}
	plain.to = zip
	err = errors.Join(b.write(ctx, plain), zip.Close(), file.Close())
	return file.Name(), Descriptor{Digest: packed.hash(), DiffID: plain.hash(), Size: packed.count}, err
}

// open returns the compressed content.
func (b *Blob) open(ctx context.Context) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == "" {
		file, d, err := b.make(ctx)
		if err != nil {
			return nil, err
		}
		if d != b.Descriptor {
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

// In returns the blob as a layer of one image, with the media type of that image's layers. What is sent
// of it is added to sent. It lives as long as ctx.
func (b *Blob) In(ctx context.Context, media types.MediaType, sent *atomic.Int64) v1.Layer {
	return layer{Blob: b, ctx: ctx, media: media, sent: sent}
}

// layer is a blob in one image: it counts what is sent for it.
type layer struct {
	*Blob
	ctx   context.Context // v1.Layer's methods take none, and it lives as long as the session
	media types.MediaType
	sent  *atomic.Int64
}

// Digest is the hash of the compressed content.
func (l layer) Digest() (v1.Hash, error) { return l.Blob.Digest, nil }

// DiffID is the hash of the content.
func (l layer) DiffID() (v1.Hash, error) { return l.Blob.DiffID, nil }

// Size is the compressed content's, in bytes.
func (l layer) Size() (int64, error) { return l.Blob.Size, nil }

// MediaType is that of the base's layers: registries want one kind.
func (l layer) MediaType() (types.MediaType, error) { return l.media, nil }

// Compressed is called when the registry lacks the layer.
func (l layer) Compressed() (io.ReadCloser, error) {
	content, err := l.open(l.ctx)
	if err != nil {
		return nil, err
	}
	return Counted(content, l.sent), nil
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

// Counted returns content, and adds what is read of it to count.
func Counted(content io.ReadCloser, count *atomic.Int64) io.ReadCloser {
	return counted{content, count}
}

type counted struct {
	io.ReadCloser
	count *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.count.Add(int64(n))
	return n, err
}
