package postgres

import (
	"encoding/json"
	"strings"

	"krt.dev/kn-krt/pkg/runner/store/query"
)

// maxRangeText is how many characters of a text an index of ranges has, as krt_text cuts it.
const maxRangeText = 500

// bounds are the conditions that a query has on a field as one of the functions of ranges has
// it, with the condition that its values are of that type at all.
type bounds struct{ field, conditions string }

// ranges narrows q to the documents whose fields are in the ranges that it has, for indexes of
// krt_text and krt_number. These have a value for a field that is a single text or number; a
// field with arrays, of which one element may meet one bound and another one the other, is NULL.
// All documents that meet q do so here too.
func (c *compiler) ranges(q query.Query) string {
	var all []bounds
	at := map[string]int{}
	for _, one := range q {
		field, value, ok := c.bound(one)
		if !ok {
			continue
		}
		key := field + " " + strings.Join(one.Path, ".")
		i, there := at[key]
		if !there {
			i, at[key] = len(all), len(all)
			all = append(all, bounds{strings.ReplaceAll(field, "$path", c.arg(one.Path)), ""})
			all[i].conditions = all[i].field + " >= '='"
			if strings.HasPrefix(field, "krt_number") {
				all[i].conditions = all[i].field + " < 'NaN'"
			}
		}
		operator := " >= "
		if one.Op == query.Less || one.Op == query.LessOrEqual {
			operator = " <= "
		}
		all[i].conditions += " AND " + all[i].field + operator + value
	}
	narrowed := ""
	for _, one := range all {
		narrowed += " AND (" + one.field + " IS NULL OR " + one.conditions + ")"
	}
	return narrowed
}

// bound returns the field of a condition that compares a plain path with a text or a number, as
// an SQL expression with $path in it, and the value.
func (c *compiler) bound(one query.Condition) (field, value string, ok bool) {
	switch one.Op {
	case query.Greater, query.GreaterOrEqual, query.Less, query.LessOrEqual:
	default:
		return "", "", false
	}
	if len(one.Path) == 0 || !plain(one.Path) {
		return "", "", false
	}
	switch v := one.Value.(type) {
	case string:
		if runes := []rune(v); len(runes) > maxRangeText {
			v = string(runes[:maxRangeText])
		}
		return `krt_text(doc, $path::text[]) COLLATE "C"`, c.arg("="+v) + "::text", true
	case json.Number:
		if !rounded(v) {
			return "krt_number(doc, $path::text[])", c.arg(string(decimalNumber(v))) + "::numeric", true
		}
	}
	return "", "", false
}
