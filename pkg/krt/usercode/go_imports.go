package usercode

import (
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
)

// sdkModules are those that the SDK requires: a node that has no go.mod gets their versions from it.
var sdkModules = []string{"google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc"}

// moduleAlone is the module in which a Go node is built that has no go.mod: its folder.
const moduleAlone = "node"

// Bounds of what is read to see what a program imports.
const (
	maxImporting = 2000 // Go files
	maxPackages  = 500  // folders of them
	maxUnpinned  = 100  // imports that are returned
)

// Unpinned returns what the Go program in folder of bundle imports, if no go.mod is for it, from modules of which nothing
// says the version: neither the standard library, nor the program's own packages, nor what kn-krt brings. The paths are
// sorted, and at most 100; of a program of thousands of files some may be missing.
func Unpinned(bundle fs.FS, folder string) (imports []string) {
	folders, files := []string{path.Clean(folder)}, 0
	for i := 0; i < len(folders); i++ {
		entries, _ := fs.ReadDir(bundle, folders[i]) // the compiler reports what cannot be read
		for _, entry := range entries {
			name := entry.Name()
			if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || files == maxImporting {
				continue
			}
			files++
			for _, imported := range Imports(bundle, path.Join(folders[i], name)) {
				if below, own := strings.CutPrefix(imported, moduleAlone+"/"); own {
					folders = addNew(folders, path.Join(folders[0], below), maxPackages)
				} else if isUnpinned(imported) {
					imports = addNew(imports, imported, maxUnpinned)
				}
			}
		}
	}
	slices.Sort(imports)
	return imports
}

// addNew adds one to all, unless it is there, or there are most.
func addNew(all []string, one string, most int) []string {
	if len(all) == most || slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// isUnpinned reports whether a package comes from a module of which neither Go nor kn-krt says the version.
func isUnpinned(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") { // the standard library, "C"
		return false
	}
	for prefix := imported; prefix != "."; prefix = path.Dir(prefix) {
		if brought(prefix) || slices.Contains(sdkModules, prefix) {
			return false
		}
	}
	return true
}

// Imports returns what a Go file of the bundle imports by a valid path; nothing of one that go ignores, nor of one that
// cannot be read or parsed: the compiler reports it.
func Imports(bundle fs.FS, name string) (imports []string) {
	if strings.HasPrefix(path.Base(name), "_") || strings.HasPrefix(path.Base(name), ".") {
		return nil
	}
	text, err := Read(bundle, name)
	if err != nil {
		return nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil || isIgnored(file) {
		return nil
	}
	for _, spec := range file.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil && module.CheckImportPath(imported) == nil {
			imports = append(imports, imported)
		}
	}
	return imports
}

// isIgnored reports whether a file has the constraint "ignore": it is for no build, as what generates code.
func isIgnored(file *ast.File) bool {
	for _, group := range file.Comments {
		for _, comment := range group.List {
			x, err := constraint.Parse(comment.Text)
			if tag, ok := x.(*constraint.TagExpr); err == nil && ok && tag.Tag == "ignore" && comment.Pos() < file.Package {
				return true
			}
		}
	}
	return false
}
