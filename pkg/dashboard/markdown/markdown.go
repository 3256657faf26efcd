// Package markdown makes HTML of the documentation of a bundle, which nobody has reviewed: no raw HTML,
// links to web pages, mail addresses and other files of the documentation only, images of the
// documentation only. What is left out stays as its text.
package markdown

import (
	"bytes"
	"html/template"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"

	"krt.dev/kn-krt/pkg/legible"
)

// Limits of a text; what exceeds them is a [LimitError].
const (
	MaxBytes = 256 << 10
	// maxBlock is how many bytes may follow each other without an empty line.
	maxBlock = 64 << 10
	// maxCells is how many cells tables may have.
	maxCells = 50_000
	// maxDepth is how deep elements may be in each other.
	maxDepth = 64
	// maxMarks is how many characters that may begin a link or an emphasis may be between empty lines.
	maxMarks = 4000
	// maxHeadings is how many headings are listed.
	maxHeadings = 200
)

// LimitError is returned for a text that is too large, or too deep, to be shown.
type LimitError struct{ Text string }

// Error names the limit.
func (e *LimitError) Error() string { return "the text is not shown, because it has " + e.Text }

// Addresses are where a page finds other files of the documentation; each has the path of a file, such
// as docs/img/flow.png. An empty result means that there is no such file: it is not linked.
type Addresses struct {
	// Page is the address of the page of a file, or of the file itself; Image that of an image.
	Page, Image func(path string) string
}

// Page is a text as HTML.
type Page struct {
	// HTML is the whole text. It has no element and no attribute that runs or loads anything but
	// images at the addresses of [Addresses].
	HTML template.HTML
	// Title is the text of the first heading; empty if there is none.
	Title string
	// Headings are those of the first three levels of the source, at most 200. In HTML they are one
	// level deeper.
	Headings []Heading
}

// Heading is a heading of a page.
type Heading struct {
	Level    int
	Text, ID string
}

// Render makes HTML of the text in the file at the path. The ids of its headings begin with "doc-".
func Render(source []byte, at string, addresses Addresses) (*Page, error) {
	if err := check(source); err != nil {
		return nil, err
	}
	source = bytes.ToValidUTF8(source, []byte("\uFFFD"))
	table := extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute))
	linkify := extension.NewLinkify(extension.WithLinkifyAllowedProtocols([]string{"http", "https"}))
	md := goldmark.New(
		goldmark.WithExtensions(table, extension.Strikethrough, linkify, extension.TaskList),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(html.WithXHTML()),
	)
	tree := md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(newIDs()))))
	if tooDeep(tree) {
		return nil, errTooDeep
	}
	(&cleaner{source: source, at: at, addresses: addresses}).clean(tree)
	page := &Page{}
	page.headings(tree, source)
	var out bytes.Buffer
	if err := md.Renderer().Render(&out, source, tree); err != nil {
		return nil, err
	}
	page.HTML = template.HTML(visible(out.Bytes())) //nolint:gosec // made of text without raw HTML, see clean
	return page, nil
}

// steering are the characters that change the direction of what follows, or steer a terminal into which
// a reader copies it. The marks U+200E and U+200F, which texts in Arabic and Hebrew need, are not.
var steering = regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)

// visible writes them as escapes in what is rendered: a text may have them as entities, such as &#x202e;.
func visible(page []byte) []byte {
	return steering.ReplaceAllFunc(page, func(c []byte) []byte { return []byte(legible.Printable(string(c))) })
}

// check returns a LimitError for a text that would take long to parse: the time for a block without an
// empty line grows with the square of its size and of its marks, that for quotes and lists with the
// product of their depth and the lines, and a row of a table has as many cells as its head.
func check(source []byte) error {
	if len(source) > MaxBytes {
		return &LimitError{"more than 256 KiB"}
	}
	var size, lines, columns, cells, marks int
	for line := range bytes.Lines(source) {
		if len(bytes.TrimSpace(line)) == 0 {
			cells += lines * columns
			size, lines, columns, marks = 0, 0, 0, 0
		}
		size += len(line)
		lines++
		for _, mark := range []byte("[*_~") {
			marks += bytes.Count(line, []byte{mark})
		}
		columns = max(columns, bytes.Count(line, []byte("|")))
		switch {
		case deepLine.Match(line) && !ruleLine.Match(line):
			return errTooDeep
		case marks > maxMarks:
			return &LimitError{"more than 4,000 of [, *, _ and ~ without an empty line"}
		case size > maxBlock:
			return &LimitError{"more than 64 KiB without an empty line"}
		case cells+lines*columns > maxCells:
			return &LimitError{"a table of more than 50,000 cells"}
		}
	}
	return nil
}

var errTooDeep = &LimitError{"quotes or lists that are nested too deeply"}

// deepLine is a line that begins more than maxDepth quotes and lists, ruleLine one that only looks so.
var (
	deepLine = regexp.MustCompile(`^[ \t]*(?:(?:>|(?:[-+*]|[0-9]{1,9}[.)])[ \t])[ \t]*){65}`)
	ruleLine = regexp.MustCompile(`^[ \t]*(?:[-*_][ \t]*)+\s*$`)
)

// tooDeep reports whether a node of the tree is deeper than maxDepth.
func tooDeep(tree ast.Node) bool {
	depth, deepest := 0, 0
	_ = ast.Walk(tree, func(_ ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			depth++
		} else {
			depth--
		}
		deepest = max(deepest, depth)
		return ast.WalkContinue, nil
	})
	return deepest > maxDepth
}

// headings lists the headings of the tree, and makes each one level deeper: the page around the text
// has the heading of the first level.
func (p *Page) headings(tree ast.Node, source []byte) {
	_ = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		h, ok := n.(*ast.Heading)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		said := plain(h, source)
		if p.Title == "" {
			p.Title = said
		}
		id, _ := h.AttributeString("id")
		if value, ok := id.([]byte); ok && h.Level <= 3 && said != "" && len(p.Headings) < maxHeadings {
			p.Headings = append(p.Headings, Heading{Level: h.Level, Text: said, ID: string(value)})
		}
		h.Level = min(h.Level+1, 6)
		return ast.WalkSkipChildren, nil
	})
}

// plain is the text of a node without its form.
func plain(n ast.Node, source []byte) string {
	var all strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch t := n.(type) {
		case *ast.Text:
			if entering {
				all.Write(t.Segment.Value(source))
			}
		case *ast.String:
			if entering {
				all.Write(t.Value)
			}
		case *extast.TaskCheckBox, *ast.RawHTML:
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(all.String())
}
