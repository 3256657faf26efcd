package krt

import (
	"context"
	"io/fs"
	"os"

	"krt.dev/kn-krt/pkg/schema"
)

// checkProtos warns of protos from which no code can be made.
func (r *reader) checkProtos(ctx context.Context, root *os.Root, m *Manifest, o schema.Options) error {
	o.Entry = m.Entrypoint.Proto
	all, err := schema.CompileAll(ctx, root.FS(), o)
	if err != nil {
		return ctx.Err() // the entrypoint's own mistakes are told
	}
	for _, e := range all.LeftOut() {
		r.add(Problem{File: e.File, Line: e.Line, Column: e.Column, Warning: true, Text: "no code is made of this proto, which does not compile: " + e.Text}, "")
	}
	return nil
}

// EntrypointProto returns the proto that the manifest in bundle names, "" if it names none
// that is there.
func EntrypointProto(bundle fs.FS) string {
	proto := ManifestIn(bundle).Entrypoint.Proto
	if info, err := fs.Stat(bundle, proto); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return proto
}
