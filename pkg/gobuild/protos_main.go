package gobuild

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"krt.dev/kn-krt/pkg/schema"
	"krt.dev/kn-krt/pkg/schema/gen"
)

// lacking lists the exported names that package main in folder uses and does not declare:
// users of the original had protoc write its code next to main.go, by go_package = "main".
func (c protoCode) lacking(folder string) (names []string) {
	files, err := fs.Glob(c.bundle, path.Join(folder, "*.go"))
	if err != nil {
		return nil // a folder with a name that is a pattern
	}
	var used, declared []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file := parseMain(c.bundle, name)
		if file == nil || strings.HasSuffix(name, ".pb.go") {
			return nil // it is there, or the compiler reports what is wrong
		}
		for _, identifier := range file.Unresolved {
			used = append(used, identifier.Name)
		}
		for name := range file.Scope.Objects {
			declared = append(declared, name)
		}
	}
	return slices.DeleteFunc(used, func(name string) bool { return !ast.IsExported(name) || slices.Contains(declared, name) })
}

// parseMain parses a file of package main; nil if it is none.
func parseMain(bundle fs.FS, name string) *ast.File {
	info, err := fs.Stat(bundle, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxGoFile {
		return nil
	}
	text, err := fs.ReadFile(bundle, name)
	if err != nil {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
	if err != nil || file.Name.Name != "main" {
		return nil
	}
	return file
}

// anyMessage reports whether one of names is that of a message in the bundle's protos.
func anyMessage(all *schema.Schema, names []string) bool {
	for _, file := range all.Files() {
		for i := range file.Messages().Len() {
			if slices.Contains(names, string(file.Messages().Get(i).Name())) {
				return true
			}
		}
	}
	return false
}

// generateMain shows the code of all protos to the go command as files of package main in
// the folder of a node.
func generateMain(all *schema.Schema, folder, scratch string, files map[string]string) error {
	// Nothing imports package main; the generator wants a path with a slash or a dot.
	made, err := gen.Go(all, gen.GoOptions{ImportPath: "node/main"})
	if err != nil {
		return err
	}
	for _, f := range made {
		if path.Dir(f.Path) != "." {
			continue // no folder of a package main has others
		}
		before, clause, found := bytes.Cut(f.Content, []byte("\npackage "))
		_, after, _ := bytes.Cut(clause, []byte("\n"))
		if !found {
			continue
		}
		written := filepath.Join(scratch, "main", f.Path)
		if err := writeFile(written, slices.Concat(before, []byte("\npackage main\n"), after)); err != nil {
			return err
		}
		files[filepath.Join(folder, f.Path)] = written
	}
	return nil
}
