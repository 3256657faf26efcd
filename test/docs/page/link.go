package page

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

// Link is a link or an image.
type Link struct {
	// Page is the name of the page with it, and Line that of its paragraph, from 1.
	Page string
	Line int
	// To is what it refers to, as it is written.
	To    string
	Image bool
}

// At is the link's place, as file:line.
func (l Link) At() string { return fmt.Sprintf("%s:%d", l.Page, l.Line) }

// External reports whether the link leaves the repository.
func (l Link) External() bool {
	u, err := url.Parse(l.To)
	return err == nil && (u.Scheme != "" || u.Host != "")
}

// Target is the path of the file that a link within the repository refers to, from the root, and the
// fragment in it.
func (l Link) Target() (name, fragment string, err error) {
	u, err := url.Parse(l.To)
	if err != nil {
		return "", "", err
	}
	name = path.Join(path.Dir(l.Page), u.Path)
	switch {
	case u.Path == "":
		name = l.Page
	case strings.HasPrefix(u.Path, "/"), strings.HasPrefix(name, ".."):
		return "", "", fmt.Errorf("%q leaves the repository: write it relative to the page", l.To)
	}
	return name, u.Fragment, nil
}

func (r *reader) link(to string, image bool) {
	r.page.Links = append(r.page.Links, Link{Page: r.page.Name, Line: r.line(r.block), To: to, Image: image})
}

// attribute finds attributes of HTML that refer to something, or name an anchor.
var attribute = regexp.MustCompile(`\b(src|srcset|href|id|name)="([^"]*)"`)

func (r *reader) html(text string) {
	for _, found := range attribute.FindAllStringSubmatch(text, -1) {
		switch found[1] {
		case "href":
			r.link(found[2], false)
		case "src", "srcset":
			r.link(found[2], true)
		default:
			r.page.Anchors = append(r.page.Anchors, found[2])
		}
	}
}

func (r *reader) heading(n *ast.Heading) {
	title := plain(n, r.source)
	anchor := Anchor(title)
	times := r.anchors[anchor]
	r.anchors[anchor]++
	if times > 0 {
		anchor = fmt.Sprintf("%s-%d", anchor, times)
	}
	r.page.Headings = append(r.page.Headings, Heading{Text: title, Anchor: anchor})
	r.page.Anchors = append(r.page.Anchors, anchor)
}

// Anchor is the fragment that GitHub gives to the first heading with that text: lowercase, without
// punctuation, and with a hyphen for each space.
func Anchor(heading string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(heading) {
		switch {
		case c == ' ':
			b.WriteByte('-')
		case c == '-', c == '_', unicode.IsLetter(c), unicode.IsDigit(c), unicode.IsMark(c):
			b.WriteRune(c)
		}
	}
	return b.String()
}

// plain is the text of the nodes below n.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Text:
			if entering {
				b.Write(n.Segment.Value(source))
			}
		case *ast.String:
			if entering {
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
