package handbook

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing/fstest" // its MapFS is the standard library's file system in memory

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/schema"
)

// maxCompiled is how many contracts are kept compiled.
const maxCompiled = 16

// Reader reads what bundles say. It keeps contracts compiled by what is in them, those that were used
// last: a page that is open reads its own again and again. It may be used by many goroutines at a time.
type Reader struct {
	mu       sync.Mutex
	compiled []compiled // the one that was used last is last
}

type compiled struct {
	digest [sha256.Size]byte
	schema *schema.Schema
}

// Protos are the version's, compiled.
func (r *Reader) Protos(ctx context.Context, from source.Authors, ref source.Ref) (*schema.Schema, error) {
	c, err := from.Contract(ctx, ref)
	if err != nil {
		return nil, err
	}
	digest := digestOf(c)
	if known := r.find(digest); known != nil {
		return known, nil
	}
	files := fstest.MapFS{}
	for name, text := range c.Protos {
		files[name] = &fstest.MapFile{Data: text}
	}
	protos, err := schema.Compile(ctx, files, c.Entry, schema.Options{})
	if err != nil {
		return nil, fmt.Errorf("the version's protos do not compile: %w", err)
	}
	r.keep(compiled{digest, protos})
	return protos, nil
}

// digestOf is the same for contracts of the same files only.
func digestOf(c *source.Contract) (digest [sha256.Size]byte) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%q", c.Entry)
	for _, name := range slices.Sorted(maps.Keys(c.Protos)) {
		fmt.Fprintf(hash, "%q %d ", name, len(c.Protos[name]))
		hash.Write(c.Protos[name])
	}
	hash.Sum(digest[:0])
	return digest
}

// find returns what is kept of the digest, which was used now; nil if nothing is.
func (r *Reader) find(digest [sha256.Size]byte) *schema.Schema {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.compiled, func(c compiled) bool { return c.digest == digest })
	if at < 0 {
		return nil
	}
	known := r.compiled[at]
	r.compiled = append(slices.Delete(r.compiled, at, at+1), known)
	return known.schema
}

// keep keeps it in place of what was not used for longest.
func (r *Reader) keep(one compiled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.compiled, func(c compiled) bool { return c.digest == one.digest }) {
		return // compiled twice at the same time
	}
	r.compiled = append(slices.Delete(r.compiled, 0, max(0, len(r.compiled)+1-maxCompiled)), one)
}
