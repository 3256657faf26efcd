package reference

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// goFile parses a file of the repository.
func goFile(root, name string) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
}

// constant is one whose value is a text, with the comment behind it.
type constant struct{ name, value, comment string }

// constants are those of a file whose names have the prefix, by the comment of their group.
func constants(file *ast.File, prefix string) (groups []string, of map[string][]constant) {
	of = map[string][]constant{}
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.CONST {
			continue
		}
		group := oneParagraph(d.Doc.Text())
		for _, spec := range d.Specs {
			v := spec.(*ast.ValueSpec)
			value, ok := v.Values[0].(*ast.BasicLit)
			if !ok || !strings.HasPrefix(v.Names[0].Name, prefix) {
				continue
			}
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				continue
			}
			comment := v.Comment.Text()
			if comment == "" {
				comment = v.Doc.Text()
			}
			of[group] = append(of[group], constant{v.Names[0].Name, text, oneParagraph(comment)})
		}
		if len(of[group]) > 0 {
			groups = append(groups, group)
		}
	}
	return groups, of
}

// fields are the names and comments of a struct's fields. One without a comment shares that of the field before.
func fields(file *ast.File, name string) (all [][2]string, err error) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != name {
			return true
		}
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			for _, ident := range f.Names {
				all = append(all, [2]string{ident.Name, oneParagraph(f.Doc.Text())})
			}
		}
		return false
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no struct %s", name)
	}
	return all, nil
}

// read is a file of the repository.
func read(root, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, name))
	return string(text), err
}
