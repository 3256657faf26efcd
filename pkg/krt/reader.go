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

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// reader turns YAML nodes into values and collects problems. A value's path, such as
// "nodes[2].src", stands for its place in the text; the path of a missing value stands for
// the nearest one around it.
type reader struct {
	file     string
	problems Problems
	anchors  map[string]ast.Node
	places   map[string]place
	labels   map[string]string // how to name "nodes[2]" to a person: node "etl"
	broken   map[string]bool   // paths that should be maps and are not: nothing inside is missing
}

// fail reports an error at path. The text is about the item that path lies in.
func (r *reader) fail(path, format string, args ...any) {
	item, _ := r.subject(path)
	r.add(Problem{Text: item + fmt.Sprintf(format, args...)}, path)
}

// field reports an error at path. The text goes on after the field's name.
func (r *reader) field(path, format string, args ...any) {
	item, field := r.subject(path)
	r.add(Problem{Text: item + field + " " + fmt.Sprintf(format, args...)}, path)
}

// warn reports a warning at path, about the item that path lies in.
func (r *reader) warn(path, format string, args ...any) {
	item, _ := r.subject(path)
	r.add(Problem{Warning: true, Text: item + fmt.Sprintf(format, args...)}, path)
}

// subject returns `node "etl": ` and "src" for "nodes[2].src", "" and "config.files" for that.
func (r *reader) subject(path string) (item, field string) {
	item, field, inside := strings.Cut(path, ".")
	if !strings.HasPrefix(item, "nodes[") && !strings.HasPrefix(item, "workflows[") {
		return "", path
	}
	if label, ok := r.labels[item]; ok {
		item = label
	}
	if !inside {
		return "", item
	}
	return item + ": ", field
}

func (r *reader) add(p Problem, path string) {
	if p.File == "" {
		p.File = r.file
		at := r.place(path)
		p.Line, p.Column = at.line, at.column
	}
	switch {
	case len(r.problems) < mostProblems:
		r.problems = append(r.problems, p)
	case len(r.problems) == mostProblems:
		r.problems = append(r.problems, Problem{File: r.file, Text: "too many problems to tell them all"})
	}
}

func (r *reader) place(path string) place {
	for {
		if at, ok := r.places[path]; ok {
			return at
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			if at, ok := r.places[""]; ok {
				return at
			}
			return place{1, 1}
		}
		path = path[:i]
	}
}

// resolve looks through anchors, aliases and tags. Aliases may go round in circles.
func (r *reader) resolve(n ast.Node) ast.Node {
	for range 16 {
		switch t := n.(type) {
		case *ast.AnchorNode:
			n = t.Value
		case *ast.TagNode:
			n = t.Value
		case *ast.AliasNode:
			n = r.anchors[t.Value.GetToken().Value]
		default:
			return n
		}
	}
	return nil
}

// pair is a key of a map with its value.
type pair struct {
	key   string
	at    place
	value ast.Node // nil when empty
}

// pairs returns the content of the map n, those of merged maps (<<) last; not ok when n is no map.
func (r *reader) pairs(n ast.Node, depth int) (found []pair, ok bool) {
	var values []*ast.MappingValueNode
	switch n := r.resolve(n).(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	seen := map[string]bool{}
	var merged []pair
	for _, v := range values {
		key := v.Key.GetToken().Value
		if text, ok := v.Key.(ast.ScalarNode); ok {
			key = fmt.Sprint(text.GetValue())
		}
		// One merge a map and a few levels of them: more would let a small text become a huge map.
		if v.Key.IsMergeKey() && depth > 0 && !seen[key] {
			if more, ok := r.pairs(v.Value, depth-1); ok {
				seen[key], merged = true, more
				continue
			}
		}
		value := r.resolve(v.Value)
		if _, null := value.(*ast.NullNode); null {
			value = nil
		}
		found, seen[key] = append(found, pair{key, start(v.Key), value}), true
	}
	for _, m := range merged {
		if !seen[m.key] {
			found = append(found, m)
		}
	}
	return found, true
}

// fields returns the values of the map n at path by key, and reports repeated keys and those
// that are not known.
func (r *reader) fields(n ast.Node, path string, known ...string) map[string]ast.Node {
	values := map[string]ast.Node{}
	if n == nil {
		return values
	}
	found, ok := r.pairs(n, 4)
	if !ok {
		r.field(path, "must be a map, not %s", kindOf(r.resolve(n)))
		r.broken[path] = true
		return values
	}
	r.label(path, found)
	lines := map[string]int{}
	for _, p := range found {
		inside := join(path, p.key)
		first, twice := lines[p.key]
		switch {
		case len(r.problems) > mostProblems:
			return values // a hostile text: looking for suggestions would take long
		case twice:
			item, _ := r.subject(inside)
			r.places[inside+"#"] = p.at
			r.add(Problem{Text: fmt.Sprintf("%skey %.80q stands twice; the first is on line %d", item, p.key, first)}, inside+"#")
			continue
		case !slices.Contains(known, p.key):
			r.places[inside] = p.at
			r.warn(inside, "key %.80q is not known%s", p.key, spelling.Hint(p.key, known))
		case p.value != nil:
			r.places[inside] = p.at // what a list or a map lacks is told at its key
			if _, ok := scalar(p.value); ok {
				r.places[inside] = start(p.value)
			}
			values[p.key] = p.value
		default:
			r.places[inside] = p.at
		}
		lines[p.key] = p.at.line
	}
	return values
}

// label notes how the item at path is called, before anything is reported of it.
func (r *reader) label(path string, found []pair) {
	kind, _, isItem := strings.Cut(path, "s[")
	if !isItem || strings.Contains(path, ".") {
		return
	}
	for _, p := range found {
		if name, ok := scalar(p.value); ok && p.key == "name" && name != "" {
			r.labels[path] = fmt.Sprintf("%s %.80q", kind, name)
			return
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

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

// integer returns the whole number at key, nil when it is missing, none, or not in low … high.
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
	found, _ := r.pairs(n, 4)
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
