package postgres

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/pattern"
)

// condition is an SQL condition on a document. If it is not exact, documents meet it that
// do not meet the query.
type condition struct {
	sql   string
	exact bool
}

// compiler collects the parameters of a statement. All text of a query is a parameter.
type compiler struct {
	args    []any
	aliases int
}

func (c *compiler) arg(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *compiler) alias(letter string) string {
	c.aliases++
	return letter + strconv.Itoa(c.aliases)
}

// query is q as a condition on the jsonb value in.
func (c *compiler) query(q query.Query, in string) condition {
	all := condition{"TRUE", true}
	for _, one := range q {
		next := c.condition(one, in)
		all = condition{all.sql + " AND " + next.sql, all.exact && next.exact}
	}
	return all
}

func (c *compiler) condition(one query.Condition, in string) condition {
	if rounded(one.Value) {
		return condition{"TRUE", false}
	}
	switch one.Op {
	case query.And, query.Or:
		return c.joined(one, in)
	case query.Not:
		before := len(c.args)
		of := c.query(one.Of[0], in)
		if !of.exact { // PostgreSQL refuses parameters that are not used
			c.args = c.args[:before]
		}
		return not(of)
	case query.Equal, query.In:
		return c.some(one.Path, operands(one), in)
	case query.NotEqual, query.NotIn:
		return not(c.some(one.Path, operands(one), in))
	case query.All:
		return c.all(one, in)
	case query.Exists:
		return c.exists(one, in)
	case query.Size:
		return c.size(one, in)
	case query.ElemMatch:
		return c.elemMatch(one, in)
	case query.Regex:
		return c.regex(one, in)
	default:
		operator := strings.NewReplacer("$gte", ">=", "$gt", ">", "$lte", "<=", "$lt", "<").Replace(string(one.Op))
		return condition{c.leaf(one.Path, in, func(at string) string { return at + " " + operator + " " + literal(one.Value) }), true}
	}
}

// operands are the values that one compares with: those of its list, or its own.
func operands(one query.Condition) []any {
	if one.Op == query.Equal || one.Op == query.NotEqual {
		return []any{one.Value}
	}
	values, _ := one.Value.([]any)
	return values
}

// not is the opposite. That of a condition that is not exact would leave out documents.
func not(c condition) condition {
	if !c.exact {
		return condition{"TRUE", false}
	}
	return condition{"(" + c.sql + ") IS NOT TRUE", true}
}

func (c *compiler) joined(one query.Condition, in string) condition {
	parts, exact := make([]string, len(one.Of)), true
	for i, q := range one.Of {
		part := c.query(q, in)
		parts[i], exact = "("+part.sql+")", exact && part.exact
	}
	word := " AND "
	if one.Op == query.Or {
		word = " OR "
	}
	return condition{"(" + strings.Join(parts, word) + ")", exact}
}

func (c *compiler) all(one query.Condition, in string) condition {
	parts := []string{}
	for _, value := range operands(one) {
		parts = append(parts, c.some(one.Path, []any{value}, in).sql)
	}
	if len(parts) == 0 {
		return condition{"FALSE", true}
	}
	return condition{"(" + strings.Join(parts, " AND ") + ")", true}
}

// some says that the field equals one of wants, or is an array that has one.
func (c *compiler) some(path []string, wants []any, in string) condition {
	var parts []string
	var scalars []any
	for _, want := range wants {
		switch want.(type) {
		case nil:
			scalars = append(scalars, want)
			parts = append(parts, c.missing(path, in))
		case []any, map[string]any:
			parts = append(parts, c.whole(path, want, in))
		default:
			scalars = append(scalars, want)
		}
	}
	if len(scalars) > 0 {
		parts = append(parts, c.leaf(path, in, func(at string) string {
			tests := make([]string, len(scalars))
			for i, want := range scalars {
				tests[i] = at + " == " + literal(want)
			}
			return strings.Join(tests, " || ")
		}))
	}
	if len(parts) == 0 {
		return condition{"FALSE", true}
	}
	return condition{"(" + strings.Join(parts, " OR ") + ")", true}
}

// leaf says that the field, or an element of it, meets a test of the SQL/JSON path language,
// which is about the value at. In its lax mode a path goes through arrays as in a query,
// but for elements by their place, and a comparison is met by an element of an array.
func (c *compiler) leaf(path []string, in string, test func(at string) string) string {
	switch {
	case len(path) == 0:
		return fmt.Sprintf("%s @? %s", in, c.arg("strict $ ? ("+test("@")+")"))
	case plain(path):
		return fmt.Sprintf("%s @? %s", in, c.arg("$ ? ("+test("@"+jsonPath(path))+")"))
	}
	return c.visit(path, in, func(v string) condition {
		return condition{fmt.Sprintf("(%[1]s @? %[2]s OR %[1]s @? %[3]s)", v, c.arg("strict $ ? ("+test("@")+")"),
			c.arg("strict $[*] ? ("+test("@")+")")), true}
	}).sql
}

// exists says that there is such a field, or that there is none.
func (c *compiler) exists(one query.Condition, in string) condition {
	found := condition{"TRUE", true}
	switch {
	case len(one.Path) == 0:
	case plain(one.Path):
		found.sql = fmt.Sprintf("%s @? %s", in, c.arg("$"+jsonPath(one.Path)))
	default:
		found = c.visit(one.Path, in, func(string) condition { return found })
	}
	if one.Value == false {
		return not(found)
	}
	return found
}

func (c *compiler) size(one query.Condition, in string) condition {
	return c.visit(one.Path, in, func(v string) condition {
		return condition{fmt.Sprintf("CASE WHEN jsonb_typeof(%[1]s) = 'array' THEN jsonb_array_length(%[1]s) = %[2]s END",
			v, c.arg(one.Value)), true}
	})
}

func (c *compiler) regex(one query.Condition, in string) condition {
	text, ok := pattern.Postgres().Write(one.Pattern)
	if !ok {
		return condition{"TRUE", false}
	}
	return condition{c.leaf(one.Path, in, func(at string) string { return at + " like_regex " + literal(text) + ` flag "s"` }), true}
}

// missing says that the field is not there, somewhere on the path.
func (c *compiler) missing(path []string, in string) string {
	switch len(path) {
	case 0:
		return "FALSE"
	case 1:
		return fmt.Sprintf("NOT jsonb_exists(%s, %s)", in, c.arg(path[0]))
	}
	return fmt.Sprintf("EXISTS (SELECT FROM krt_visit(%s, %s) v WHERE NOT v.found)", in, c.arg(path))
}

// whole says that the field equals an object or array, or is an array that has it.
func (c *compiler) whole(path []string, want any, in string) string {
	text, _ := encode(want)
	p := c.arg(text) + "::jsonb"
	return c.visit(path, in, func(v string) condition {
		equal := v + " = " + p
		if len(path) > 0 {
			e := c.alias("e")
			equal = fmt.Sprintf("(%s OR EXISTS (SELECT FROM %s WHERE %s.value = %s))", equal, elements(v, e), e, p)
		}
		return condition{equal, true}
	}).sql
}

func (c *compiler) elemMatch(one query.Condition, in string) condition {
	return c.visit(one.Path, in, func(v string) condition {
		e, q := c.alias("e"), one.Of[0]
		test := c.query(q, e+".value")
		if len(q) == 0 || q[0].Op == query.And || q[0].Op == query.Or || len(q[0].Path) > 0 {
			test.sql = fmt.Sprintf("jsonb_typeof(%s.value) = 'object' AND %s", e, test.sql)
		}
		return condition{fmt.Sprintf("EXISTS (SELECT FROM %s WHERE %s)", elements(v, e), test.sql), test.exact}
	})
}

// visit says that a value at path, which is there, meets a test.
func (c *compiler) visit(path []string, in string, test func(v string) condition) condition {
	if len(path) == 0 {
		return test(in)
	}
	v := c.alias("v")
	met := test(v + ".value")
	return condition{fmt.Sprintf("EXISTS (SELECT FROM krt_visit(%s, %s) %s WHERE %s.found AND %s)", in, c.arg(path), v, v, met.sql), met.exact}
}

// elements are those of v, if it is an array.
func elements(v, alias string) string {
	return fmt.Sprintf("jsonb_array_elements(CASE WHEN jsonb_typeof(%[1]s) = 'array' THEN %[1]s ELSE '[]' END) %[2]s", v, alias)
}

// plain reports whether no key can be the place of an element.
func plain(path []string) bool {
	return !slices.ContainsFunc(path, func(key string) bool { return key[0] >= '0' && key[0] <= '9' })
}

// jsonPath is a path in the SQL/JSON path language. Query.Parse refuses quotes and backslashes.
func jsonPath(path []string) string { return `."` + strings.Join(path, `"."`) + `"` }

// literal is a scalar in that language, which has JSON's.
func literal(v any) string {
	if n, ok := v.(json.Number); ok {
		v = decimalNumber(n)
	}
	text, _ := store.Encode(v)
	return string(text)
}

// usesIndex reports whether the index on documents narrows q: by equality with scalars.
func usesIndex(q query.Query) bool {
	return slices.ContainsFunc(q, func(one query.Condition) bool {
		if rounded(one.Value) {
			return false
		}
		switch one.Op {
		case query.And:
			return slices.ContainsFunc(one.Of, usesIndex)
		case query.Equal, query.In, query.All:
			values := operands(one)
			return len(values) > 0 && plain(one.Path) && !slices.ContainsFunc(values, isNotScalar)
		}
		return false
	})
}

func isNotScalar(v any) bool {
	switch v.(type) {
	case nil, []any, map[string]any:
		return true
	}
	return false
}
