package krt

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxManifest is how large a manifest may be, in bytes.
	maxManifest = 1 << 20
	// maxTokens bounds what the YAML parser is given, as its time grows with the square of a
	// map's length. A manifest at all its limits has about 19,000.
	maxTokens = 25_000
	// maxNesting is how deep lists and maps may nest: a manifest needs six.
	maxNesting = 32
)

// place is a line and a column, from 1.
type place struct{ line, column int }

// misplaced is an error of the manifest's text as such.
type misplaced struct {
	place
	text string
}

// readYAML returns the one document of a manifest's text, or what keeps text from being YAML.
func readYAML(text []byte) (ast.Node, *misplaced) {
	if bad := notText(text); bad != nil {
		return nil, bad
	}
	tokens, bad := tokenize(string(bytes.TrimPrefix(text, []byte("\ufeff"))))
	if bad != nil {
		return nil, bad
	}
	file, err := parseYAML(tokens)
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			return nil, &misplaced{placeOf(syntax.Token), "not valid YAML: " + syntax.Message}
		}
		return nil, &misplaced{place{1, 1}, "not valid YAML: " + err.Error()}
	}
	var root ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if root != nil {
			return nil, &misplaced{start(doc.Body), "a second YAML document begins here; a manifest is a single document"}
		}
		root = doc.Body
	}
	if root == nil {
		return nil, &misplaced{place{1, 1}, "the manifest is empty; it needs version, description, entrypoint, nodes and workflows"}
	}
	return root, nil
}

// notText returns why text cannot be a manifest at all: real bundles had archives in its place.
func notText(text []byte) *misplaced {
	switch {
	case len(text) > maxManifest:
		return &misplaced{place{1, 1}, fmt.Sprintf("the manifest is larger than %d bytes", maxManifest)}
	case len(text) > 262 && string(text[257:262]) == "ustar":
		return &misplaced{place{1, 1}, "the manifest is a tar archive; unpack it and put the krt.yml from inside it here"}
	case bytes.HasPrefix(text, []byte("\x1f\x8b")):
		return &misplaced{place{1, 1}, "the manifest is a gzip archive; unpack it and put the krt.yml from inside it here"}
	}
	for i, line := 0, 1; i < len(text); line++ {
		end := bytes.IndexByte(text[i:], '\n') + 1
		if end == 0 {
			end = len(text) - i
		}
		if row := text[i : i+end]; !utf8.Valid(row) || bytes.IndexByte(row, 0) >= 0 {
			return &misplaced{place{line, 1}, "the manifest is not UTF-8 text"}
		}
		i += end
	}
	return nil
}

// tokenize bounds number and nesting of tokens before the parser recurses over them.
func tokenize(text string) (token.Tokens, *misplaced) {
	var kept token.Tokens
	var open nesting
	for _, t := range lexer.Tokenize(text) {
		if t.Type == token.CommentType {
			continue
		}
		if kept = append(kept, t); len(kept) > maxTokens {
			return nil, &misplaced{placeOf(t), "the manifest has too many values"}
		}
		if open.add(t); len(open.blocks)+open.flow > maxNesting {
			return nil, &misplaced{placeOf(t), fmt.Sprintf("lists and maps are nested deeper than %d", maxNesting)}
		}
	}
	return kept, nil
}

// nesting follows how many lists and maps are open.
type nesting struct {
	blocks []int // columns of those by indentation
	flow   int   // those in brackets
}

func (n *nesting) add(t *token.Token) {
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.flow++
	case token.SequenceEndType, token.MappingEndType:
		n.flow = max(0, n.flow-1)
	case token.MappingValueType:
		if t.Prev != nil { // the key
			t = t.Prev
		}
		n.block(placeOf(t).column)
	case token.SequenceEntryType, token.MappingKeyType:
		n.block(placeOf(t).column)
	default:
	}
}

// block opens a list or map at column, which ends those that began there or further right.
func (n *nesting) block(column int) {
	if n.flow > 0 {
		return
	}
	for len(n.blocks) > 0 && n.blocks[len(n.blocks)-1] >= column {
		n.blocks = n.blocks[:len(n.blocks)-1]
	}
	n.blocks = append(n.blocks, column)
}

// parseYAML parses tokens. The parser is not ours and the text may be hostile: a panic in it
// is an error of the manifest. Repeated keys are let through, to be reported with all else.
func parseYAML(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			file, err = nil, fmt.Errorf("the parser gave up: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// anchors returns the values that aliases of the document may refer to, by name.
func anchors(root ast.Node) map[string]ast.Node {
	found := map[string]ast.Node{}
	for _, n := range ast.Filter(ast.AnchorType, root) {
		if anchor, ok := n.(*ast.AnchorNode); ok && anchor.Name != nil {
			found[anchor.Name.GetToken().Value] = anchor.Value
		}
	}
	return found
}

// start returns where n begins in the text.
func start(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return start(n.Key)
	}
	return placeOf(n.GetToken())
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(1, t.Position.Line), max(1, t.Position.Column)}
}

// kindOf names n's type for a person.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "empty"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	}
	return strings.ToLower(n.Type().String())
}
