package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/runner/store"
)

// compile returns q as an SQL condition on the column doc, with its parameters.
// All text of a query is a parameter, JSON paths included. Its meaning is that
// of store.Query and its Match, which the tests compare it with.
func compile(q store.Query) (where string, args []any) {
	c := &compiler{}
	where = "TRUE"
	for _, condition := range q {
		where += " AND " + c.condition(condition)
	}
	return where, c.args
}

type compiler struct{ args []any }

// arg adds a parameter and returns its place, so that it can be used twice.
func (c *compiler) arg(value any) string {
	c.args = append(c.args, value)
	return "?" + strconv.Itoa(len(c.args))
}

func (c *compiler) condition(q store.Condition) string {
	path := jsonPath(q.Path)
	switch q.Op {
	case store.Equal:
		return c.holds(path, []any{q.Value}) + " IS TRUE"
	case store.NotEqual:
		return c.holds(path, []any{q.Value}) + " IS NOT TRUE"
	case store.In:
		list, _ := q.Value.([]any)
		return c.holds(path, list) + " IS TRUE"
	default:
		return c.ordered(path, q)
	}
}

// holds says that the field at path equals one of wants, or is an array that has
// one of them. Each row e is the field itself or, if that is an array, one of its
// elements.
func (c *compiler) holds(path string, wants []any) string {
	p := c.arg(path)
	var missing, whole, each []string
	for _, want := range wants {
		switch want.(type) {
		case nil:
			missing = []string{fmt.Sprintf("json_type(doc, %s) IS NULL", p)}
			each = append(each, "e.type = 'null'")
		case []any, map[string]any:
			whole = append(whole, c.equals("doc", path, want))
			each = append(each, fmt.Sprintf("(json_type(doc, %s) = 'array' AND e.type IN ('array', 'object') AND %s)", p,
				c.equals("e.value", "$", want)))
		default:
			each = append(each, c.isScalar("e.type", "e.atom", want))
		}
	}
	some := append(missing, whole...)
	if len(each) > 0 {
		// json_each also lists the members of an object, which are not elements.
		some = append(some, fmt.Sprintf("EXISTS (SELECT 1 FROM json_each(doc, %s) e WHERE json_type(doc, %s) <> 'object' AND (%s))",
			p, p, strings.Join(each, " OR ")))
	}
	if len(some) == 0 {
		return "(FALSE)"
	}
	return "(" + strings.Join(some, " OR ") + ")"
}

// equals says that the value at path in the SQL value in is want, whole.
func (c *compiler) equals(in, path string, want any) string {
	p := c.arg(path)
	typ, value := fmt.Sprintf("json_type(%s, %s)", in, p), fmt.Sprintf("json_extract(%s, %s)", in, p)
	switch want := want.(type) {
	case nil:
		return typ + " = 'null'"
	case []any:
		all := fmt.Sprintf("(%s = 'array' AND json_array_length(%s, %s) = %d", typ, in, p, len(want))
		for i, element := range want {
			all += " AND " + c.equals(in, fmt.Sprintf("%s[%d]", path, i), element)
		}
		return all + ")"
	case map[string]any:
		all := fmt.Sprintf("(%s = 'object' AND (SELECT count(*) FROM json_each(%s, %s)) = %d", typ, in, p, len(want))
		for _, key := range slices.Sorted(maps.Keys(want)) {
			all += " AND " + c.equals(in, path+jsonKey(key), want[key])
		}
		return all + ")"
	default:
		return c.isScalar(typ, value, want)
	}
}

// isScalar says that the JSON value of the SQL type typ is want. JSON's true and
// false are SQL's 1 and 0, so the type is compared too.
func (c *compiler) isScalar(typ, value string, want any) string {
	switch want := want.(type) {
	case bool:
		return fmt.Sprintf("%s = '%t'", typ, want)
	case string:
		return fmt.Sprintf("(%s = 'text' AND %s = %s)", typ, value, c.arg(want))
	default:
		return fmt.Sprintf("(%s IN ('integer', 'real') AND %s = %s)", typ, value, c.arg(number(want)))
	}
}

// ordered says that the field, or an element of it, is ordered as q says.
func (c *compiler) ordered(path string, q store.Condition) string {
	operator := map[store.Operator]string{
		store.Greater: ">", store.GreaterOrEqual: ">=", store.Less: "<", store.LessOrEqual: "<=",
	}[q.Op]
	p, types, want := c.arg(path), "'integer', 'real'", q.Value
	switch want.(type) {
	case bool:
		types = "'true', 'false'"
	case string:
		types = "'text'"
	default:
		want = number(want)
	}
	return fmt.Sprintf("EXISTS (SELECT 1 FROM json_each(doc, %s) e WHERE json_type(doc, %s) <> 'object' AND e.type IN (%s) AND e.atom %s %s)",
		p, p, types, operator, c.arg(want))
}

// number is a JSON number as SQLite would read it: an integer if it is one of 64
// bits, else floating point.
func number(v any) any {
	n, _ := v.(json.Number)
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

func jsonPath(keys []string) string {
	path := "$"
	for _, key := range keys {
		path += jsonKey(key)
	}
	return path
}

// jsonKey is one step of a path. store.ParseQuery refuses quotes and backslashes.
func jsonKey(key string) string { return `."` + key + `"` }
