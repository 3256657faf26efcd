package krt

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxMerges is how deep merges (<<) may nest.
	maxMerges = 4
	// maxMerged is how many maps, and keys of them, may be merged in all: a small text could become a huge map.
	maxMerged = 100_000
)

// merge returns the pairs that a map gets by "<<: n", n being a map or a list of maps; of two
// with one key the earlier one holds (YAML 1.1, "Merge Key").
func (r *reader) merge(n ast.Node, depth int) (merged []pair) {
	if depth < 0 {
		r.tooDeep = true
		return nil
	}
	maps := []ast.Node{n}
	if list, ok := r.resolve(n).(*ast.SequenceNode); ok {
		maps = list.Values
	}
	seen := map[string]bool{}
	for _, one := range maps {
		if r.merged > maxMerged {
			break
		}
		r.merged++
		found, _ := r.pairs(one, depth) // checkSyntax has reported what is not a map
		for _, p := range found {
			r.merged++
			if !seen[p.key] {
				merged, seen[p.key] = append(merged, p), true
			}
		}
	}
	return merged
}

// checkSyntax reports tags that are not supported, and merges of other values than maps. It returns
// whether there are any.
func (r *reader) checkSyntax(root ast.Node) (found bool) {
	v := &syntax{reader: r}
	ast.Walk(v, root)
	return v.found
}

// syntax visits the nodes of a document.
type syntax struct {
	*reader
	found bool
}

// Visit checks one node.
func (v *syntax) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.TagNode:
		v.tag(n)
	case *ast.MappingNode:
		merges := 0
		for _, value := range n.Values {
			if value.Key.IsMergeKey() {
				merges++
			}
			if merges == 2 {
				v.refuse(value.Key, "<< appears twice in one map; write it once, with a list: <<: [*a, *b]")
				break
			}
		}
	case *ast.MappingValueNode:
		if n.Key.IsMergeKey() && !v.mergeable(n.Value) {
			v.refuse(n.Key, "<< takes a map or a list of maps, such as <<: *a or <<: [*a, *b]")
		}
	}
	return v
}

// tag refuses a tag that would change what its value means.
func (v *syntax) tag(n *ast.TagNode) {
	switch name := n.Start.Value; token.ReservedTagKeyword(name) {
	case token.StringTag, token.IntegerTag, token.FloatTag, token.BooleanTag, token.NullTag, token.MappingTag, token.SequenceTag:
	default:
		v.refuse(n, fmt.Sprintf("tag %.40q is not supported; write the value without it", name))
	}
}

func (v *syntax) mergeable(n ast.Node) bool {
	switch n := v.resolve(n).(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	case *ast.SequenceNode:
		for _, one := range n.Values {
			if v.merged++; v.merged > maxMerged {
				return true // decode reports it
			}
			switch v.resolve(one).(type) {
			case *ast.MappingNode, *ast.MappingValueNode:
			default:
				return false
			}
		}
		return true
	}
	return false
}

func (v *syntax) refuse(n ast.Node, text string) {
	at := start(n)
	v.add(Problem{File: v.file, Line: at.line, Column: at.column, Text: text}, "")
	v.found = true
}
