package krt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// text returns the text at key, "" when it is missing, no text, or longer than longest characters.
func (r *reader) text(values map[string]ast.Node, path, key string, longest int) string {
	n, inside := values[key], join(path, key)
	if n == nil {
		return ""
	}
	return r.scalar(n, inside, longest)
}

func (r *reader) scalar(n ast.Node, path string, longest int) string {
	text, ok := scalar(n)
	if !ok {
		r.field(path, "must be text, not %s", kindOf(n))
		return ""
	}
	if length := utf8.RuneCountInString(text); length > longest {
		r.field(path, "is %d characters long; at most %d are allowed", length, longest)
		return ""
	}
	return text
}

// scalar returns the text of n as the file has it: 1.10 is a name, not a number.
func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// boolean returns the truth value at key. Unquoted yes, no, on and off are what YAML 1.1 and
// the original take for one.
func (r *reader) boolean(values map[string]ast.Node, path, key string) bool {
	n := values[key]
	switch n := n.(type) {
	case nil:
		return false
	case *ast.BoolNode:
		return n.Value
	case *ast.StringNode:
		if n.Token.Type == token.StringType {
			switch strings.ToLower(n.Value) {
			case "yes", "on":
				return true
			case "no", "off":
				return false
			}
		}
	}
	r.field(join(path, key), "must be true or false, not %s", kindOf(n))
	return false
}

// integer returns the whole number at key, nil when it is missing, none, or not in low … maxPods.
func (r *reader) integer(values map[string]ast.Node, path, key string, low, high int) *int {
	n := values[key]
	if n == nil {
		return nil
	}
	number, ok := n.(*ast.IntegerNode)
	if !ok {
		r.field(join(path, key), "must be a whole number, not %s", kindOf(n))
		return nil
	}
	value, err := strconv.Atoi(fmt.Sprint(number.Value))
	if err == nil && value >= low && value <= high {
		return &value
	}
	r.field(join(path, key), "must be between %d and %d", low, high)
	return nil
}

// list calls each for the elements at key, at most most of them.
func (r *reader) list(values map[string]ast.Node, path, key string, most int, each func(n ast.Node, path string)) {
	n, inside := values[key], join(path, key)
	if n == nil {
		return
	}
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		r.field(inside, "must be a list, not %s", kindOf(n))
		return
	}
	for i, element := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", inside, i)
		r.places[at] = start(element)
		if i == most {
			r.add(Problem{Text: fmt.Sprintf("%s has %d elements; at most %d are allowed", inside, len(sequence.Values), most)}, at)
			return
		}
		resolved := r.resolve(element)
		if resolved == nil || resolved.Type() == ast.NullType {
			r.field(at, "is empty")
			continue
		}
		each(resolved, at)
	}
}

// texts returns the list of texts at key.
func (r *reader) texts(values map[string]ast.Node, path, key string, most int) (list []string) {
	r.list(values, path, key, most, func(n ast.Node, at string) {
		list = append(list, r.scalar(n, at, maxVariable))
	})
	return list
}

// textMap returns the map of texts at key.
func (r *reader) textMap(values map[string]ast.Node, path, key string, most int) map[string]string {
	n, inside := values[key], join(path, key)
	if n == nil {
		return nil
	}
	found, _ := r.pairs(n, maxMerges)
	known := make([]string, 0, len(found))
	for _, p := range found {
		known = append(known, p.key)
	}
	entries := r.fields(n, inside, known...)
	if len(entries) > most {
		r.field(inside, "has %d entries; at most %d are allowed", len(entries), most)
		return nil
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		texts[name] = r.text(entries, inside, name, maxValue)
	}
	return texts
}
