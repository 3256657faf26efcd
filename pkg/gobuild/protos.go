package gobuild

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/usercode"
	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// Bounds of what is read of a module's code to see what it imports.
const (
	maxGoFiles = 2000
	maxGoFile  = 1 << 20
)

// protoCode is what the code in a module needs of the protos of its bundle.
type protoCode struct {
	bundle fs.FS
	module module
	folder string // of the module, from the bundle's root
}

// overlay adds to files, which is an overlay for the go command, what t's code needs of
// its bundle's protos and lacks: generated code, in a package that it imports or in its
// own, as users kept it out of what they handed on, and descriptors for a handler that
// takes JSON. Files are written in scratch.
func (t Target) overlay(ctx context.Context, m module, sdks []SDK, scratch string, files map[string]string) error {
	if t.Bundle == "" {
		return nil
	}
	inside, err := filepath.Rel(t.Bundle, m.root)
	if err != nil || !filepath.IsLocal(inside) {
		return nil // the module is not the bundle's own
	}
	root, err := os.OpenRoot(t.Bundle)
	if err != nil {
		return fmt.Errorf("cannot open the bundle: %w", err)
	}
	defer root.Close()
	c := protoCode{bundle: root.FS(), module: m, folder: filepath.ToSlash(inside)}
	return c.add(ctx, t, sdks, scratch, files)
}

// add is overlay for code that is in the bundle.
func (c protoCode) add(ctx context.Context, t Target, sdks []SDK, scratch string, files map[string]string) error {
	lacking := c.lacking(filepath.ToSlash(within(t.Bundle, t.Folder)))
	missing, json := c.missing(), usercode.GoGeneration(c.bundle, c.folder).Dicts
	sure := missing != "" || json
	if !sure && len(lacking) == 0 {
		return nil
	}
	all, err := schema.CompileAll(ctx, c.bundle, schema.Options{Entry: krt.EntrypointProto(c.bundle)})
	if err != nil && sure {
		return fmt.Errorf("cannot compile the protos that the code needs: %w", err)
	}
	if err != nil {
		return nil //nolint:nilerr // what the code lacks may be something else: the compiler reports it
	}
	switch {
	case missing != "":
		err = c.generate(all, missing, scratch, files)
	case anyMessage(all, lacking):
		err = generateMain(all, t.Folder, scratch, files)
	}
	if err == nil && json {
		err = c.describe(all, sdks, scratch, files)
	}
	return err
}

// within is the path of folder from root, "." if it is not below it.
func within(root, folder string) string {
	inside, err := filepath.Rel(root, folder)
	if err != nil || !filepath.IsLocal(inside) {
		return "."
	}
	return inside
}

// missing returns the import path of the one package of the module that its code imports
// and that is not there; "" for none. Of several, it is open which the protos' is.
func (c protoCode) missing() string {
	name := c.name()
	var missing []string
	for _, imported := range c.imports() {
		below, ok := strings.CutPrefix(imported, name+"/")
		if ok && !slices.Contains(missing, imported) && !hasGo(c.bundle, path.Join(c.folder, below)) {
			missing = append(missing, imported)
		}
	}
	if len(missing) != 1 {
		return ""
	}
	return missing[0]
}

// name is the module's path.
func (c protoCode) name() string {
	text, err := fs.ReadFile(c.bundle, path.Join(c.folder, "go.mod"))
	if err != nil {
		return "" // the go command reports it
	}
	return modfile.ModulePath(text)
}

// imports lists what the Go files of the module import.
func (c protoCode) imports() (imports []string) {
	count := 0
	_ = fs.WalkDir(c.bundle, c.folder, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil //nolint:nilerr // what cannot be read imports nothing
		case entry.IsDir() && name != c.folder && strings.HasPrefix(entry.Name(), "."), entry.Name() == "vendor":
			return fs.SkipDir
		case path.Ext(name) != ".go" || !entry.Type().IsRegular():
			return nil
		}
		if count++; count > maxGoFiles {
			return fs.SkipAll
		}
		if info, err := entry.Info(); err == nil && info.Size() <= maxGoFile {
			imports = append(imports, usercode.Imports(c.bundle, name)...)
		}
		return nil
	})
	return imports
}

func hasGo(bundle fs.FS, folder string) bool {
	entries, err := fs.ReadDir(bundle, folder)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return path.Ext(e.Name()) == ".go" })
}

// generate shows the code of all protos to the go command as the package importPath.
func (c protoCode) generate(all *schema.Schema, importPath, scratch string, files map[string]string) error {
	made, err := gen.Go(all, gen.GoOptions{ImportPath: importPath})
	if err != nil {
		return err
	}
	below := strings.TrimPrefix(importPath, c.name()+"/")
	for _, f := range made {
		written := filepath.Join(scratch, "protos", filepath.FromSlash(f.Path))
		if err := writeFile(written, f.Content); err != nil {
			return err
		}
		files[filepath.Join(c.module.root, filepath.FromSlash(below), filepath.FromSlash(f.Path))] = written
	}
	return nil
}

// describe puts descriptors of all protos into package kre, wherever it is.
func (c protoCode) describe(all *schema.Schema, sdks []SDK, scratch string, files map[string]string) error {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range all.Files() {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return err
	}
	written := filepath.Join(scratch, "descriptors", protosFile)
	if err := writeFile(written, fmt.Appendf(nil, "package kre\n\nconst protos = %q\n", text)); err != nil {
		return err
	}
	for _, s := range sdks {
		for _, name := range []string{protosFile, path.Join("kre", protosFile)} { // in a stand-in, in the SDK
			if _, err := os.Stat(filepath.Join(s.folder, filepath.FromSlash(name))); err == nil {
				files[filepath.Join(c.module.root, filepath.FromSlash(path.Join(s.shownAt(), name)))] = written
			}
		}
	}
	return nil
}

// protosFile is the file of package kre that has the descriptors.
const protosFile = "protos.go"

func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o600)
}
