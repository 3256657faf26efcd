package reference

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

func goSDK(root string) (string, error) {
	var b strings.Builder
	begin(&b, "SDK in Go", "The packages that nodes in Go import, made of their comments; `go doc krt.dev/kn-krt/pkg/runner` shows the "+
		"same. [Go nodes](go-nodes.md) shows how they are used.")
	for _, folder := range []string{"pkg/runner", "pkg/runner/runnertest"} {
		if err := goPackage(&b, root, folder); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func goPackage(b *strings.Builder, root, folder string) error {
	names, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(set, filepath.Base(name), source, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	p, err := doc.NewFromFiles(set, files, "krt.dev/kn-krt/"+folder)
	if err != nil {
		return err
	}
	g := goPage{b, set, p, folder}
	fmt.Fprintf(b, "\n## Package %s\n\n`import %q`\n\n%s", p.Name, p.ImportPath, g.text(p.Doc))
	g.values(p.Consts)
	g.values(p.Vars)
	g.funcs(p.Funcs)
	for _, t := range p.Types {
		g.item(t.Name, t.Decl, t.Doc)
		g.values(t.Consts)
		g.funcs(t.Funcs)
		g.funcs(t.Methods)
	}
	return nil
}

// goPage writes the declarations of a package.
type goPage struct {
	b      *strings.Builder
	set    *token.FileSet
	of     *doc.Package
	folder string
}

func (g goPage) values(all []*doc.Value) {
	for _, v := range all {
		g.item(strings.Join(v.Names, ", "), v.Decl, v.Doc)
	}
}

func (g goPage) funcs(all []*doc.Func) {
	for _, f := range all {
		name := f.Name
		if f.Recv != "" {
			name = strings.Trim(f.Recv, "*") + "." + name
		}
		f.Decl.Body = nil
		g.item(name, f.Decl, f.Doc)
	}
}

func (g goPage) item(name string, decl ast.Node, text string) {
	switch d := decl.(type) { // the comment comes below the code
	case *ast.FuncDecl:
		d.Doc = nil
	case *ast.GenDecl:
		d.Doc = nil
	}
	var code bytes.Buffer
	if err := (&printer.Config{Mode: printer.UseSpaces, Tabwidth: 4}).Fprint(&code, g.set, decl); err != nil {
		fmt.Fprint(&code, err)
	}
	fmt.Fprintf(g.b, "\n### %s\n", name)
	fence(g.b, "go", g.folder, code.String())
	g.b.WriteString("\n" + g.text(text))
}

// text is a doc comment as paragraphs; what it shows as code is left as it is.
func (g goPage) text(doc string) string {
	var b strings.Builder
	for i, block := range g.of.Parser().Parse(doc).Content {
		if i > 0 {
			b.WriteByte('\n')
		}
		one := &comment.Doc{Content: []comment.Block{block}}
		if code, ok := block.(*comment.Code); ok {
			fence(&b, "go", g.folder, code.Text)
			continue
		}
		text := string((&comment.Printer{TextWidth: -1}).Text(one))
		if _, ok := block.(*comment.List); ok {
			for item := range strings.Lines(text) {
				b.WriteString("- " + strings.TrimLeft(plain(item), " -"))
			}
			continue
		}
		b.WriteString(Wrap(plain(text)))
	}
	return b.String()
}
