// Package page reads the pages of the documentation: their code blocks, with the markers that say how
// a test executes them, their links and their anchors.
package page

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is a Markdown file.
type Page struct {
	// Name is its path from the repository's root, with slashes.
	Name string
	// Blocks are its code blocks, in order.
	Blocks []Block
	// Links are those of its links and images, in order.
	Links []Link
	// Headings are the texts of its headings, in order.
	Headings []Heading
	// Anchors are the fragments that a link to the page may have.
	Anchors []string
}

// Heading is a heading of a page.
type Heading struct {
	Text, Anchor string
}

// Block is a code block.
type Block struct {
	// Page is the name of its page, and Line that of its fence, from 1.
	Page string
	Line int
	// Language is the first word after the fence, Info all of them.
	Language, Info string
	Text           string
	// Indented is true for a block without a fence.
	Indented bool
}

// At is the block's place, as file:line.
func (b Block) At() string { return fmt.Sprintf("%s:%d", b.Page, b.Line) }

// foreign are folders whose Markdown is not documentation of the project: what tests read, and what
// belongs to a bundle or to others.
var foreign = []string{"test/bundles", "functions/price-estimator/docs", "pkg", "bin", "dist", ".venv", ".github"}

// Names lists the pages of the repository at root: all of its Markdown, without that of tests and bundles.
func Names(root string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			hidden := name != "." && strings.HasPrefix(entry.Name(), ".")
			if hidden || entry.Name() == "testdata" || slices.Contains(foreign, name) {
				return fs.SkipDir
			}
		case path.Ext(name) == ".md" && entry.Type().IsRegular():
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// All reads the pages of the repository at root.
func All(root string) ([]*Page, error) {
	names, err := Names(root)
	if err != nil {
		return nil, err
	}
	pages := make([]*Page, 0, len(names))
	for _, name := range names {
		source, err := fs.ReadFile(os.DirFS(root), name)
		if err != nil {
			return nil, err
		}
		pages = append(pages, Parse(name, source))
	}
	return pages, nil
}

// Markdown is how GitHub reads it.
func Markdown() goldmark.Markdown { return goldmark.New(goldmark.WithExtensions(extension.GFM)) }

// Parse reads the page of that name.
func Parse(name string, source []byte) *Page {
	p := &reader{page: &Page{Name: name}, source: source, anchors: map[string]int{}}
	tree := Markdown().Parser().Parse(text.NewReader(source))
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.node(n)
		}
		return ast.WalkContinue, nil
	})
	return p.page
}

// reader collects what a page has.
type reader struct {
	page    *Page
	source  []byte
	anchors map[string]int
	block   int // where the block begins that the inline nodes are in
}

func (r *reader) node(n ast.Node) {
	if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
		r.block = n.Lines().At(0).Start
	}
	switch n := n.(type) {
	case *ast.FencedCodeBlock:
		r.fenced(n)
	case *ast.CodeBlock:
		r.page.Blocks = append(r.page.Blocks, Block{
			Page: r.page.Name, Line: r.line(n.Lines().At(0).Start), Text: lines(n, r.source), Indented: true,
		})
	case *ast.Heading:
		r.heading(n)
	case *ast.Link:
		r.link(string(n.Destination), false)
	case *ast.Image:
		r.link(string(n.Destination), true)
	case *ast.AutoLink:
		r.link(string(n.URL(r.source)), false)
	case *ast.RawHTML:
		r.html(string(n.Segments.Value(r.source)))
	case *ast.HTMLBlock:
		r.html(lines(n, r.source))
	}
}

func (r *reader) fenced(n *ast.FencedCodeBlock) {
	b := Block{Page: r.page.Name, Text: lines(n, r.source)}
	switch {
	case n.Info != nil:
		b.Info, b.Language = string(n.Info.Value(r.source)), string(n.Language(r.source))
		b.Line = r.line(n.Info.Segment.Start)
	case n.Lines().Len() > 0:
		b.Line = r.line(n.Lines().At(0).Start) - 1
	}
	r.page.Blocks = append(r.page.Blocks, b)
}

// line is the number of the line with the byte at offset.
func (r *reader) line(offset int) int { return 1 + bytes.Count(r.source[:offset], []byte("\n")) }

// lines are those of a block, as they are in the source without the indentation of the block.
func lines(n ast.Node, source []byte) string { return string(n.Lines().Value(source)) }
