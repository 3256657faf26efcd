package plan

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"krt.dev/kn-krt/pkg/krt"
	"krt.dev/kn-krt/pkg/krt/spelling"
)

// mostProblems is how many problems are reported at most.
const mostProblems = 50

// reader turns YAML nodes into the values of a form and collects problems.
type reader struct {
	name     string
	problems krt.Problems
}

func (r *reader) add(line, column int, format string, args ...any) {
	if len(r.problems) < mostProblems {
		r.problems = append(r.problems, krt.Problem{File: r.name, Line: max(1, line), Column: max(1, column), Text: fmt.Sprintf(format, args...)})
	}
}

// fail reports a problem with the value n of the field at path. The text follows the field's name.
func (r *reader) fail(n *yaml.Node, path, format string, args ...any) {
	if path == "" {
		path = "a plan"
	}
	r.add(n.Line, n.Column, "%s %s", path, fmt.Sprintf(format, args...))
}

// value returns what n has, in the form of f, for JSON. Aliases are refused: nothing in a plan is long
// enough to be repeated, and they may multiply.
func (r *reader) value(n *yaml.Node, f field, path string) any {
	switch {
	case n.Kind == yaml.AliasNode:
		r.fail(n, path, "must not be an alias")
		return nil
	case f.fields != nil:
		return r.object(n, f, path)
	case f.element != nil:
		return r.list(n, f, path)
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		r.fail(n, path, "must be %s, not %s", f.what, kindOf(n))
		return nil
	case f.whole:
		return r.number(n, f, path)
	}
	if !f.good(n.Value) {
		r.fail(n, path, "is %.80q; it must be %s", n.Value, f.what)
	}
	return n.Value
}

func (r *reader) object(n *yaml.Node, f field, path string) any {
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "must be a map, not %s", kindOf(n))
		return nil
	}
	found, lines := map[string]any{}, map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		inside := join(path, key.Value)
		of := slices.IndexFunc(f.fields, func(f field) bool { return f.key == key.Value })
		switch first, twice := lines[key.Value]; {
		case twice:
			r.add(key.Line, key.Column, "%s appears twice; the first is on line %d", inside, first)
			continue
		case of < 0:
			r.add(key.Line, key.Column, "unknown field %.80q%s", inside, spelling.Hint(key.Value, f.keys()))
			continue
		}
		lines[key.Value] = key.Line
		found[key.Value] = r.value(value, f.fields[of], inside)
	}
	for _, inside := range f.fields {
		if _, ok := lines[inside.key]; inside.required && !ok {
			r.add(n.Line, n.Column, "%s is missing", join(path, inside.key))
		}
	}
	if f.check != nil {
		if text := f.check(found); text != "" {
			r.fail(n, path, "%s", text)
		}
	}
	return found
}

func (r *reader) list(n *yaml.Node, f field, path string) any {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, path, "must be a list, not %s", kindOf(n))
		return nil
	}
	if count := len(n.Content); count < f.low || count > f.high {
		r.fail(n, path, "has %d elements; it must have %d to %d", count, f.low, f.high)
		return nil
	}
	list := make([]any, len(n.Content))
	names := map[any]bool{}
	for i, element := range n.Content {
		inside := fmt.Sprintf("%s[%d]", path, i)
		list[i] = r.value(element, *f.element, inside)
		if object, ok := list[i].(map[string]any); ok && object["name"] != nil {
			if names[object["name"]] {
				r.fail(element, inside, "has the name %.80q, which another one has", object["name"])
			}
			names[object["name"]] = true
		}
	}
	return list
}

func (r *reader) number(n *yaml.Node, f field, path string) any {
	number, err := strconv.Atoi(n.Value)
	if err != nil || number < f.low || number > f.high {
		r.fail(n, path, "is %.80q; it must be a whole number from %d to %d", n.Value, f.low, f.high)
	}
	return number
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// kindOf names n's kind for a person.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a map"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	}
	return fmt.Sprintf("%.80q", n.Value)
}

// isDuration reports whether text is a duration of more than 0.
func isDuration(text string) bool {
	d, err := time.ParseDuration(text)
	return err == nil && durationPattern.MatchString(text) && d >= time.Second && d <= 720*time.Hour
}
