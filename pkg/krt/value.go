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

// object is a map of the manifest with known keys, while it is read.
type object struct {
	reader *reader
	path   string
	form   *Field
	values map[string]ast.Node
}

// object reads the map n at path, which is nil where the map is missing.
func (r *reader) object(n ast.Node, path string, form *Field) object {
	return object{r, path, form, r.fields(n, path, form.keys()...)}
}

// at is the path of the value at key.
func (o object) at(key string) string { return join(o.path, key) }

// object returns the map at key, which is empty where it is missing.
func (o object) object(key string) object {
	return o.reader.object(o.values[key], o.at(key), o.form.find(key))
}

// text returns the text at key, "" when it is missing, no text, or too long.
func (o object) text(key string) string {
	if n := o.values[key]; n != nil {
		return o.reader.scalar(n, o.at(key), o.form.find(key).readable())
	}
	return ""
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
func (o object) boolean(key string) bool {
	n := o.values[key]
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
	o.reader.field(o.at(key), "must be true or false, not %s", kindOf(n))
	return false
}

// integer returns the whole number at key, nil when it is missing, none, or out of bounds.
func (o object) integer(key string) *int {
	n, form := o.values[key], o.form.find(key)
	if n == nil {
		return nil
	}
	number, ok := n.(*ast.IntegerNode)
	if !ok {
		o.reader.field(o.at(key), "must be a whole number, not %s", kindOf(n))
		return nil
	}
	value, err := strconv.Atoi(fmt.Sprint(number.Value))
	if err == nil && value >= form.Low && value <= form.High {
		return &value
	}
	o.reader.field(o.at(key), "must be between %d and %d", form.Low, form.High)
	return nil
}

// list calls each for the elements at key, with their form.
func (o object) list(key string, each func(n ast.Node, at string, form *Field)) {
	if n := o.values[key]; n != nil {
		o.reader.list(n, o.at(key), o.form.find(key), each)
	}
}

// list calls each for the elements of n, at most as many as form allows.
func (r *reader) list(n ast.Node, path string, form *Field, each func(n ast.Node, at string, form *Field)) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		r.field(path, "must be a list, not %s", kindOf(n))
		return
	}
	for i, element := range sequence.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		r.places[at] = start(element)
		if i == form.High {
			r.add(Problem{Text: fmt.Sprintf("%s has %d elements; at most %d are allowed", path, len(sequence.Values), form.High)}, at)
			return
		}
		resolved := r.resolve(element)
		if resolved == nil || resolved.Type() == ast.NullType {
			r.field(at, "is empty")
			continue
		}
		each(resolved, at, form.Element)
	}
}

// texts returns the list of texts at key.
func (o object) texts(key string) (list []string) {
	o.list(key, func(n ast.Node, at string, form *Field) {
		list = append(list, o.reader.scalar(n, at, form.readable()))
	})
	return list
}

// textMap returns the map of texts at key.
func (o object) textMap(key string) map[string]string {
	n, inside, form := o.values[key], o.at(key), o.form.find(key)
	if n == nil {
		return nil
	}
	r := o.reader
	found, _ := r.pairs(n, maxMerges)
	known := make([]string, 0, len(found))
	for _, p := range found {
		known = append(known, p.key)
	}
	entries := r.fields(n, inside, known...)
	if len(entries) > form.High {
		r.field(inside, "has %d entries; at most %d are allowed", len(entries), form.High)
		return nil
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		texts[name] = r.scalar(entries[name], join(inside, name), form.Element.readable())
	}
	return texts
}
