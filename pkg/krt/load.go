package krt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"krt.dev/kn-krt/pkg/krt/archive"
	"krt.dev/kn-krt/pkg/krt/spelling"
	"krt.dev/kn-krt/pkg/krt/untrusted"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/rest"
)

// Options changes how a bundle is loaded. The zero value has the limits of KRT V1.
type Options struct {
	// Schema bounds the protos.
	Schema schema.Options
	// Contents also lists what the bundle holds, and reports what Pack refuses, what the
	// version needs and is left out, and what looks like a secret.
	Contents bool
	// Check, if not nil, finds more problems: of a bundle too of which others are errors, so that parts of it may be missing.
	Check func(ctx context.Context, b *Bundle) Problems

	archive bool
}

// Load reads and checks the bundle at path: a folder, or the manifest in it.
//
// All problems come at once, warnings and notes among them; the Bundle is nil when one of
// them is an error. The error is for what cannot be read at all: no folder, no manifest, no
// permission, ctx done.
func Load(ctx context.Context, path string, o Options) (*Bundle, Problems, error) {
	dir, name, err := find(path)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot load bundle %q: %w", path, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot load bundle: %w", err)
	}
	defer root.Close()
	text, err := untrusted.ReadFile(root.FS(), name, maxManifest+1)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot load bundle: %w", err)
	}
	m, r := parse(name, text)
	b := &Bundle{Dir: dir, ManifestPath: filepath.Join(dir, name), Manifest: m, Archive: o.archive, kinds: map[string]Kind{},
		inTurn: map[string]bool{}}
	if m != nil {
		if err = r.checkFiles(ctx, root, b, o); err != nil {
			return nil, nil, fmt.Errorf("cannot load bundle: %w", err)
		}
	}
	if other, err := root.Stat(archive.ManifestNames()[1]); err == nil && name == archive.ManifestNames()[0] && !other.IsDir() {
		r.add(Problem{File: name, Warning: true, Text: fmt.Sprintf("%s is in the same folder and is ignored", other.Name())}, "")
	}
	r.problems.sort(name)
	if r.problems.HasErrors() {
		return nil, r.problems, nil
	}
	return b, r.problems, nil
}

// checkFiles checks what the manifest names, and the bundle's other files. The error is for what cannot be read.
func (r *reader) checkFiles(ctx context.Context, root *os.Root, b *Bundle, o Options) error {
	if err := r.checkProto(ctx, root, b, o.Schema); err != nil {
		return err
	}
	r.checkCode(root, b)
	r.checkInspect(b)
	r.checkRequirements(root, b)
	if o.Contents {
		if err := r.checkContents(ctx, root, b); err != nil {
			return err
		}
	}
	if o.Check != nil {
		for _, p := range o.Check(ctx, b) {
			r.add(p, "")
		}
	}
	return nil
}

// find returns the bundle's folder, absolute, and the manifest's name in it.
func find(path string) (dir, name string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return "", "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", "", untrusted.Reason(err)
	}
	if !info.IsDir() {
		dir, name = filepath.Split(path)
		switch ext := filepath.Ext(name); {
		case ext == ".yml" || ext == ".yaml":
			return filepath.Clean(dir), name, nil
		case archive.IsPacked(path):
			return "", "", errors.New("it is a packed bundle; unpack it first")
		}
		return "", "", errors.New("it is not a folder, a krt.yml or a .krt file")
	}
	for _, name := range archive.ManifestNames() {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil {
			return path, name, nil
		}
	}
	return "", "", errors.New("there is no krt.yml in the folder" + manifestHint(path))
}

// manifestHint offers a file in the folder that may be meant as its manifest.
func manifestHint(dir string) string {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if near := spelling.Nearest(entry.Name(), archive.ManifestNames()); near != "" {
			return fmt.Sprintf("; did you mean %q?", entry.Name())
		}
	}
	return ""
}

// checkProto compiles the entrypoint's proto, which it sets on b with all other protos, and
// ties the workflows to its rpcs.
func (r *reader) checkProto(ctx context.Context, root *os.Root, b *Bundle, o schema.Options) error {
	const at = "entrypoint.proto"
	m := b.Manifest
	if m.Entrypoint.Proto == "" || r.reported(at) {
		return nil
	}
	if info, err := root.Stat(m.Entrypoint.Proto); err != nil || !info.Mode().IsRegular() {
		r.noFile(at, root, m.Entrypoint.Proto, err)
		return nil
	}
	compiled, err := schema.Compile(ctx, root.FS(), m.Entrypoint.Proto, o)
	var mistakes schema.Errors
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &mistakes):
		for _, e := range mistakes {
			r.add(Problem{File: e.File, Line: e.Line, Column: e.Column, Text: e.Text}, at)
		}
		return nil
	case err != nil:
		r.field(at, "%v", untrusted.Reason(err))
		return nil
	}
	r.checkRPCs(m, compiled)
	r.checkAnnotations(compiled)
	b.Schema = compiled
	b.Messages, err = r.checkProtos(ctx, root, m, o)
	return err
}

// checkAnnotations warns of annotations google.api.http that are not served.
func (r *reader) checkAnnotations(compiled *schema.Schema) {
	_, problems := rest.Services(compiled.Entry())
	for _, p := range problems {
		file := p.Method.ParentFile()
		at := file.SourceLocations().ByDescriptor(p.Method)
		one := Problem{
			File: file.Path(), Warning: true,
			Text: fmt.Sprintf("rpc %q: its annotation google.api.http is ignored: %s", p.Method.Name(), p.Text),
		}
		if at.EndLine > 0 || at.StartLine > 0 {
			one.Line, one.Column = at.StartLine+1, at.StartColumn+1
		}
		r.add(one, "entrypoint.proto")
	}
}

// checkRPCs ties every workflow to an rpc of its own.
func (r *reader) checkRPCs(m *Manifest, compiled *schema.Schema) {
	first := map[string]string{}
	for i, w := range m.Workflows {
		at := fmt.Sprintf("workflows[%d].entrypoint", i)
		if w.Entrypoint == "" {
			continue
		}
		method, err := compiled.Method(w.Entrypoint)
		if err != nil {
			r.fail(at, "%v", err)
			continue
		}
		rpc := string(method.FullName())
		if other := first[rpc]; other != "" {
			r.fail(at, "rpc %q already calls workflow %.80q; each workflow needs an rpc of its own", w.Entrypoint, other)
			continue
		}
		first[rpc] = w.Name
		if method.IsStreamingServer() {
			r.add(Problem{Warning: true, Note: true, Text: fmt.Sprintf("workflow %q returns a stream, which on a cluster may last as long as "+
				"the setting stream-timeout allows (5m)", w.Name)}, at)
		}
	}
}

// noFile reports that the file a field names cannot be used, and offers one that may be meant.
func (r *reader) noFile(at string, root *os.Root, name string, err error) {
	switch {
	case err == nil:
		r.field(at, "%.80q is not a regular file", name)
	case errors.Is(err, fs.ErrNotExist):
		r.field(at, "%.80q is not in the bundle%s", name, spelling.Hint(name, neighbours(root, name)))
	case errors.Is(err, fs.ErrPermission):
		r.field(at, "%.80q cannot be read: %v", name, untrusted.Reason(err))
	default: // os.Root refused to follow a link
		r.field(at, "%.80q points outside the bundle or cannot be read: %v", name, untrusted.Reason(err))
	}
}

// neighbours returns the paths of what lies in name's folder, and in the bundle's root.
func neighbours(root *os.Root, name string) (paths []string) {
	for _, dir := range slices.Compact([]string{filepath.ToSlash(filepath.Dir(name)), "."}) {
		for _, n := range untrusted.Names(root, dir) {
			paths = append(paths, cleaned(dir+"/"+n))
		}
	}
	return paths
}
