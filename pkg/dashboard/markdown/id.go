package markdown

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

const (
	// prefix keeps the ids of a text apart from those of the page that it is on.
	prefix = "doc-"
	// maxID is how many bytes of a heading are in its id.
	maxID = 80
)

// anchor is where a link to a heading leads to.
func anchor(fragment string) string { return url.PathEscape(prefix + slug(fragment)) }

// slug is a heading as links name it: as GitHub makes it, in lower case and with hyphens.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(heading)) {
		if b.Len() >= maxID {
			break
		}
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

// ids gives each heading of a text an id of its own.
type ids struct{ used map[string]int }

func newIDs() *ids { return &ids{map[string]int{}} }

// Generate implements parser.IDs.
func (i *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	id := slug(string(value))
	if id == "" {
		id = "heading"
	}
	n := i.used[id]
	i.used[id]++
	if n > 0 {
		id += "-" + strconv.Itoa(n)
	}
	return []byte(prefix + id)
}

// Put implements parser.IDs: texts cannot choose ids.
func (i *ids) Put([]byte) {}
