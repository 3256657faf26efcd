package krt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"krt.dev/kn-krt/pkg/krt/spelling"
)

// reader turns YAML nodes into values and collects problems. A value's path, such as
// "nodes[2].src", has its place in the text; the path of a missing value has that of the
// nearest value around it.
type reader struct {
	file     string
	problems Problems
	anchors  map[string]ast.Node
	merged   int // maps and keys that came by merges so far
	tooDeep  bool
	modules  map[string]bool // go.mod files that were checked
	places   map[string]place
	labels   map[string]string // how to name "nodes[2]" to a person: node "etl"
	broken   map[string]bool   // paths that should be maps and are not: nothing inside is missing
}

// fail reports an error at path. The text is about the item that path lies in.
func (r *reader) fail(path, format string, args ...any) {
	item, _ := r.subject(path)
	r.add(Problem{Text: item + fmt.Sprintf(format, args...)}, path)
}

// field reports an error at path. The text follows the field's name.
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
	if len(r.problems) < mostProblems {
		r.problems = append(r.problems, p)
		return
	}
	if len(r.problems) == mostProblems {
		r.problems = append(r.problems, Problem{File: r.file, Warning: true, Text: "too many problems; the rest are not shown"})
	}
	if p.Warning || !r.problems[mostProblems].Warning {
		return
	}
	for i, other := range slices.Backward(r.problems[:mostProblems]) {
		if other.Warning { // an error matters more
			r.problems[i] = p
			return
		}
	}
	r.hidesErrors()
}

// hidesErrors makes an error of what says that there are too many problems: one of the rest is, or may be.
func (r *reader) hidesErrors() { r.problems[mostProblems].Warning = false }

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

// resolve follows anchors, aliases and tags. Aliases may form a cycle.
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

// pairs returns the content of the map n, those of merged maps (<<) last; ok is false if n is not a map.
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
		if v.Key.IsMergeKey() {
			merged = r.merge(v.Value, depth-1)
			continue
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
	found, ok := r.pairs(n, maxMerges)
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
			r.hidesErrors()
			return values // a hostile text: looking for suggestions would take long
		case twice:
			item, _ := r.subject(inside)
			r.places[inside+"#"] = p.at
			r.add(Problem{Text: fmt.Sprintf("%skey %.80q appears twice; the first is on line %d", item, p.key, first)}, inside+"#")
			continue
		case !slices.Contains(known, p.key):
			r.places[inside] = p.at
			r.warn(inside, "unknown key %.80q%s", p.key, hintOn(path, p.key, known))
		case p.value != nil:
			r.places[inside] = p.at // what a list or a map lacks is reported at its key
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

// hintOn returns what an unknown key may be: a key of another map, or the nearest known one.
func hintOn(path, key string, known []string) string {
	if path == "" {
		switch key {
		case "proto", "backgroundTimeout", "inspect":
			return "; it belongs under entrypoint"
		case "variables", "files":
			return "; it belongs under config"
		}
	}
	return spelling.Hint(key, known)
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
