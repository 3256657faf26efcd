package store

import (
	"context"

	"golang.org/x/sync/semaphore"

	"krt.dev/kn-krt/pkg/runner/store/query"
)

// maxDecoded limits what the documents of all searches of a backend may take that are decoded at
// a time, in bytes; those of fewer bytes than smallDocument are not counted.
const maxDecoded, smallDocument = 64 << 20, 64 << 10

// Decoding is the memory that a backend has for the documents that it decodes to search them.
type Decoding struct{ room *semaphore.Weighted }

// NewDecoding returns one with room for all that a backend may decode at a time.
func NewDecoding() *Decoding { return &Decoding{semaphore.NewWeighted(maxDecoded)} }

// Hold waits until there is room for a document, and returns the function that is to be called
// when what it was decoded to is not used any more. It fails when ctx is done.
func (d *Decoding) Hold(ctx context.Context, document []byte) (release func(), err error) {
	if len(document) < smallDocument {
		return func() {}, nil
	}
	size := min(DecodedSize(document), maxDecoded)
	if err := d.room.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return func() { d.room.Release(size) }, nil
}

// Meets decodes a document and reports whether it meets q.
func (d *Decoding) Meets(ctx context.Context, q query.Query, document []byte) (bool, error) {
	release, err := d.Hold(ctx, document)
	if err != nil {
		return false, err
	}
	defer release()
	var object map[string]any
	if err := Decode(document, &object); err != nil {
		return false, err
	}
	return Meets(ctx, q, object)
}
