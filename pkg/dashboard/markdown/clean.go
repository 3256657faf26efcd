package markdown

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
)

// root is the folder of the documentation; no link leads out of it.
const root = "docs"

// cleaner replaces links and images of a tree by what may be shown of them.
type cleaner struct {
	source    []byte
	at        string // the path of the text
	addresses Addresses
}

// clean changes the tree. A link that is not allowed becomes its text, an image its description.
func (c *cleaner) clean(tree ast.Node) {
	var found []ast.Node
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n.(type) {
		case *ast.Link, *ast.Image, *ast.AutoLink, *ast.RawHTML, *ast.HTMLBlock:
			if entering {
				found = append(found, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, n := range slices.Backward(found) { // what is inside first
		c.replace(n)
	}
}

func (c *cleaner) replace(n ast.Node) {
	switch n := n.(type) {
	case *ast.Link:
		to, elsewhere := c.address(string(n.Destination))
		if to == "" {
			unwrap(n)
			return
		}
		n.Destination = []byte(to)
		if elsewhere {
			n.SetAttributeString("rel", []byte("noopener noreferrer"))
		}
	case *ast.Image:
		c.image(n)
	case *ast.AutoLink:
		if to, _ := c.address(string(n.URL(c.source))); to == "" {
			n.Parent().ReplaceChild(n.Parent(), n, ast.NewString(n.Label(c.source)))
			return
		}
		n.SetAttributeString("rel", []byte("noopener noreferrer"))
	case *ast.RawHTML, *ast.HTMLBlock:
		n.Parent().RemoveChild(n.Parent(), n)
	}
}

// image keeps an image of the documentation. Another one becomes its description, which is a link if
// the image is a web page's.
func (c *cleaner) image(n *ast.Image) {
	destination := string(n.Destination)
	if file, _, ok := c.file(destination); ok {
		if to := c.addresses.Image(file); to != "" {
			n.Destination = []byte(to)
			n.SetAttributeString("loading", []byte("lazy"))
			return
		}
	}
	description := plain(n, c.source)
	if description == "" {
		description = path.Base(destination)
	}
	said := ast.NewString([]byte("[image: " + description + "]"))
	to, elsewhere := c.address(destination)
	if !elsewhere || to == "" || inLink(n) {
		n.Parent().ReplaceChild(n.Parent(), n, said)
		return
	}
	link := ast.NewLink()
	link.Destination = []byte(to)
	link.SetAttributeString("rel", []byte("noopener noreferrer"))
	link.AppendChild(link, said)
	n.Parent().ReplaceChild(n.Parent(), n, link)
}

func inLink(n ast.Node) bool {
	for n = n.Parent(); n != nil; n = n.Parent() {
		if _, ok := n.(*ast.Link); ok {
			return true
		}
	}
	return false
}

// unwrap puts the children of n in its place.
func unwrap(n ast.Node) {
	parent := n.Parent()
	for child := n.FirstChild(); child != nil; {
		next := child.NextSibling()
		parent.InsertBefore(parent, n, child)
		child = next
	}
	parent.RemoveChild(parent, n)
}

// address is what a link may lead to, "" for nothing; elsewhere is true for what is not part of the
// documentation.
func (c *cleaner) address(destination string) (to string, elsewhere bool) {
	u, err := parse(destination)
	switch {
	case err != nil || *u == (url.URL{}):
		return "", false
	case u.Scheme != "":
		return web(u), true
	case u.Host == "" && u.Path == "":
		return "#" + anchor(u.Fragment), false
	}
	file, fragment, ok := c.file(destination)
	if !ok {
		return "", false
	}
	if to = c.addresses.Page(file); to != "" && fragment != "" {
		to += "#" + anchor(fragment)
	}
	return to, false
}

// web is the address of a web page or a mail address; "" for anything else.
func web(u *url.URL) string {
	page := (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
	if page || u.Scheme == "mailto" {
		return u.String()
	}
	return ""
}

// file is the path in the bundle that a destination means, which is relative to the text's folder.
func (c *cleaner) file(destination string) (name, fragment string, ok bool) {
	u, err := parse(destination)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.Path == "" || strings.HasPrefix(u.Path, "/") ||
		strings.ContainsAny(u.Path, "\\\x00") {
		return "", "", false
	}
	name = path.Join(path.Dir(c.at), u.Path)
	return name, u.Fragment, strings.HasPrefix(name, root+"/")
}

// parse parses a destination, in which characters may be written as entities.
func parse(destination string) (*url.URL, error) {
	plain := util.ResolveEntityNames(util.ResolveNumericReferences([]byte(destination)))
	return url.Parse(strings.TrimSpace(string(plain)))
}
