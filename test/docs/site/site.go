// Package site makes a web site of the project's Markdown that needs no network: every page with the same name
// ending in .html, with relative links, one style sheet and no script.
package site

import (
	"bytes"
	_ "embed" // for the style and the frame of a page
	"html/template"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"

	"krt.dev/kn-krt/test/docs/page"
)

//go:embed style.css
var style []byte

//go:embed page.html
var frame string

// group is a part of the navigation.
type group struct {
	Title string
	Pages []entry
}

// entry is a page in it.
type entry struct {
	Title, To string
	Here      bool
}

// folders are the parts of the navigation, with where their pages are.
var folders = [][2]string{
	{"Tutorial", "docs/tutorial"}, {"How-to", "docs/how-to"}, {"Reference", "docs/reference"},
	{"Explanation", "docs/explanation"}, {"Project", "."},
}

// writer writes a site.
type writer struct {
	root, to string
	pages    map[string]*page.Page
	order    []*page.Page
	frame    *template.Template
}

// Write makes the site of the repository at root in the folder to.
func Write(root, to string) error {
	all, err := page.All(root)
	if err != nil {
		return err
	}
	w := &writer{root: root, to: to, pages: map[string]*page.Page{}, order: all}
	if w.frame, err = template.New("page").Parse(frame); err != nil {
		return err
	}
	for _, p := range all {
		w.pages[p.Name] = p
	}
	for _, p := range all {
		if err := w.page(p); err != nil {
			return err
		}
	}
	return w.put("style.css", style)
}

func (w *writer) page(p *page.Page) error {
	source, err := os.ReadFile(filepath.Join(w.root, p.Name))
	if err != nil {
		return err
	}
	markdown := page.Markdown()
	// The Markdown is the project's own; its HTML is pictures.
	markdown.Renderer().AddOptions(html.WithUnsafe())
	tree := markdown.Parser().Parse(text.NewReader(source))
	if err := w.prepare(p, tree); err != nil {
		return err
	}
	var body, out bytes.Buffer
	if err := markdown.Renderer().Render(&body, source, tree); err != nil {
		return err
	}
	depth := strings.Repeat("../", strings.Count(p.Name, "/"))
	err = w.frame.Execute(&out, map[string]any{
		"Title": title(p), "Up": depth, "Groups": w.groups(p, depth), "Body": template.HTML(body.String()), //nolint:gosec // our own Markdown
	})
	if err != nil {
		return err
	}
	for _, l := range p.Links {
		if name, _, err := l.Target(); err == nil && l.Image && !l.External() {
			if err := w.copy(name); err != nil {
				return err
			}
		}
	}
	return w.put(address(p.Name), out.Bytes())
}

// prepare gives headings the anchors that links use, and links the names of the site's pages.
func (w *writer) prepare(p *page.Page, tree ast.Node) error {
	heading := 0
	return ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			n.SetAttributeString("id", []byte(p.Headings[heading].Anchor))
			heading++
		case *ast.Link:
			to, err := w.link(p, string(n.Destination))
			n.Destination = []byte(to)
			return ast.WalkContinue, err
		}
		return ast.WalkContinue, nil
	})
}

// link is where a link of the page leads in the site: a page, that of a folder, or a copy of a file.
func (w *writer) link(p *page.Page, to string) (string, error) {
	l := page.Link{Page: p.Name, To: to}
	if l.External() {
		return to, nil
	}
	name, fragment, err := l.Target()
	if err != nil {
		return "", err
	}
	if fragment != "" {
		fragment = "#" + fragment
	}
	if _, ok := w.pages[name]; !ok {
		if _, ok := w.pages[path.Join(name, "README.md")]; ok {
			name = path.Join(name, "README.md")
		} else if err := w.copy(name); err != nil {
			return "", err
		}
	}
	relative, err := filepath.Rel(path.Dir(p.Name), w.address(name))
	return filepath.ToSlash(relative) + fragment, err
}

// address is the name of a page or file in the site.
func (w *writer) address(name string) string {
	if _, ok := w.pages[name]; ok {
		return address(name)
	}
	return name
}

func address(name string) string {
	if base, ok := strings.CutSuffix(name, "README.md"); ok {
		return base + "index.html"
	}
	return strings.TrimSuffix(name, ".md") + ".html"
}

func (w *writer) groups(here *page.Page, up string) (all []group) {
	for _, folder := range folders {
		g := group{Title: folder[0]}
		for _, p := range w.order {
			if path.Dir(p.Name) == folder[1] {
				g.Pages = append(g.Pages, entry{title(p), up + address(p.Name), p == here})
			}
		}
		if len(g.Pages) > 0 {
			all = append(all, g)
		}
	}
	return all
}

func title(p *page.Page) string {
	if len(p.Headings) > 0 {
		return p.Headings[0].Text
	}
	return p.Name
}

// copy takes a file over, or the list of a folder's files.
func (w *writer) copy(name string) error {
	from := filepath.Join(w.root, name)
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return w.put(name, content)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, entry := range entries {
		list.WriteString(entry.Name() + "\n")
	}
	return w.put(path.Join(name, "index.txt"), list.Bytes())
}

func (w *writer) put(name string, content []byte) error {
	file := filepath.Join(w.to, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}
