package krt

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/schema"
)

// Bundle is a loaded bundle without errors.
type Bundle struct {
	// Dir is the absolute path of the bundle's folder.
	Dir string
	// ManifestPath is the absolute path of the manifest.
	ManifestPath string
	Manifest     *Manifest
	// Schema is the entrypoint's compiled proto; every workflow's rpc is in it.
	Schema *schema.Schema
	// Messages is the entrypoint's proto with all protos of the bundle that compile together
	// with it; nil if the bundle has too many files to look for them.
	Messages *schema.Schema
	// Archive is true if the folder was unpacked from a .krt file.
	Archive bool
	// Listed is what archive.Pack and images take in, if Options.Contents asked for it.
	Listed *archive.Contents

	kinds  map[string]Kind
	inTurn map[string]bool // nodes
}

// Open opens the bundle's folder: through it no path, and no link, leads out of the bundle.
// Close what it returns.
func (b *Bundle) Open() (*os.Root, error) { return os.OpenRoot(b.Dir) }

// FS returns the bundle's folder as a file system, from which no path and no link leads out.
// It holds nothing open.
func (b *Bundle) FS() fs.FS { return untrusted.FS(b.Dir) }

// Contents lists what the bundle holds: what archive.Pack packs, and what goes into images. What Pack
// refuses, it does.
func (b *Bundle) Contents(ctx context.Context, limits archive.Limits) (*archive.Contents, error) {
	root, err := b.Open()
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of %q: %w", b.Dir, untrusted.Reason(err))
	}
	defer root.Close()
	c, err := archive.List(ctx, root, archive.PackOptions{Limits: limits, Archive: b.Archive})
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of %q: %w", b.Dir, err)
	}
	return c, nil
}

// Streams returns the names of the workflows whose rpc returns a stream of responses.
func (b *Bundle) Streams() map[string]bool {
	streams := map[string]bool{}
	for _, w := range b.Manifest.Workflows {
		if method, err := b.Schema.Method(w.Entrypoint); err == nil && method.IsStreamingServer() {
			streams[w.Name] = true
		}
	}
	return streams
}
