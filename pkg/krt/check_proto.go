package krt

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/krt/usercode"
	"krt.dev/kn-krt/pkg/schema"
)

// checkProtos warns of protos from which no code can be made. It returns the others with the
// entrypoint's, nil if that has mistakes.
func (r *reader) checkProtos(ctx context.Context, root *os.Root, m *Manifest, o schema.Options) (*schema.Schema, error) {
	o.Entry = m.Entrypoint.Proto
	all, err := schema.CompileAll(ctx, root.FS(), o)
	if err != nil {
		return nil, ctx.Err() // the entrypoint's own mistakes are reported already
	}
	for _, e := range all.LeftOut() {
		r.add(Problem{File: e.File, Line: e.Line, Column: e.Column, Warning: true,
			Text: "no code is generated for this proto, which does not compile: " + e.Text}, "")
	}
	r.checkModules(root, m, all)
	return all, nil
}

// checkModules warns of Python modules that were made of another state of their proto: they
// drop the fields that they do not know.
func (r *reader) checkModules(root *os.Root, m *Manifest, all *schema.Schema) {
	seen := map[string]bool{}
	for _, n := range m.Nodes {
		if path.Ext(n.Src) != ".py" {
			continue
		}
		for _, folder := range []string{path.Dir(n.Src), "."} {
			if seen[folder] {
				continue
			}
			seen[folder] = true
			for _, name := range untrusted.Names(root, folder) {
				if !strings.HasSuffix(name, "_pb2.py") {
					continue
				}
				text, err := usercode.Read(root.FS(), path.Join(folder, name))
				if err == nil {
					r.stale(path.Join(folder, name), all.StaleModule(text), ", or delete it")
				}
			}
		}
	}
}

// checkGenerated warns of Go files that were made of another state of their proto: they drop the
// fields that they do not know.
func (r *reader) checkGenerated(root *os.Root, all *schema.Schema) {
	if all == nil { // the entrypoint's proto has mistakes
		return
	}
	for _, name := range usercode.GeneratedGo(root.FS()) {
		if text, err := usercode.Read(root.FS(), name); err == nil {
			r.stale(name, all.StaleGo(text), "")
		}
	}
}

// stale warns of generated code in file that does not match its proto, unless that is "".
func (r *reader) stale(file, proto, or string) {
	if proto != "" {
		r.add(Problem{File: file, Warning: true,
			Text: fmt.Sprintf("does not match %s, from which it was generated; generate it again%s", proto, or)}, "")
	}
}
