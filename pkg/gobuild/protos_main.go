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
// users of the original had protoc write its code beside main.go, by go_package = "main".
func (c protoCode) lacking(folder string) (names []string) {
	entries, err := fs.ReadDir(c.bundle, folder)
	if err != nil {
		return nil
	}
	var used, declared []string
	for _, entry := range entries {
		name := entry.Name()
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || !entry.Type().IsRegular() {
			continue
		}
		text, err := fs.ReadFile(c.bundle, path.Join(folder, name))
		if err != nil || len(text) > maxGoFile || strings.HasSuffix(name, ".pb.go") {
			return nil // it is there, or the compiler reports it
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil || file.Name.Name != "main" {
			return nil
		}
		for _, identifier := range file.Unresolved { //nolint:staticcheck // types would need all that is imported
			used = append(used, identifier.Name)
		}
		for name := range file.Scope.Objects { //nolint:staticcheck // as above
			declared = append(declared, name)
		}
	}
	return slices.DeleteFunc(used, func(name string) bool { return !ast.IsExported(name) || slices.Contains(declared, name) })
}

// anyMessage tells whether one of names is that of a message in the bundle's protos.
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
