package store

import (
	"cmp"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
)

// Match reports whether document, decoded with numbers as json.Number, meets q.
// It is the meaning of queries that the store's SQL is tested against, and what
// tests of nodes run on.
func (q Query) Match(document map[string]any) bool {
	for _, c := range q {
		if !c.match(document) {
			return false
		}
	}
	return true
}

func (c Condition) match(document map[string]any) bool {
	value, found := lookup(document, c.Path)
	switch c.Op {
	case Equal:
		return holds(value, found, c.Value)
	case NotEqual:
		return !holds(value, found, c.Value)
	case In:
		list, _ := c.Value.([]any)
		return slices.ContainsFunc(list, func(want any) bool { return holds(value, found, want) })
	default:
		return found && slices.ContainsFunc(elements(value), c.ordered)
	}
}

func lookup(value any, path []string) (any, bool) {
	for _, key := range path {
		object, _ := value.(map[string]any)
		var found bool
		if value, found = object[key]; !found {
			return nil, false
		}
	}
	return value, true
}

// elements are what a condition may be met by: the value itself, or the elements
// of an array.
func elements(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

// holds reports whether a field equals want or is an array that has it.
func holds(value any, found bool, want any) bool {
	if !found {
		return want == nil
	}
	equals := func(v any) bool { return equal(v, want) }
	return equals(value) || slices.ContainsFunc(elements(value), equals)
}

func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && compareNumbers(a, b) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key, value := range a {
			other, found := b[key]
			if !found || !equal(value, other) {
				return false
			}
		}
		return true
	default:
		return a == b // nil, string, bool
	}
}

// ordered reports whether value compares to c.Value as c.Op requires; values of
// different types are not ordered.
func (c Condition) ordered(value any) bool {
	var order int
	switch want := c.Value.(type) {
	case json.Number:
		v, ok := value.(json.Number)
		if !ok {
			return false
		}
		order = compareNumbers(v, want)
	case string:
		v, ok := value.(string)
		if !ok {
			return false
		}
		order = cmp.Compare(v, want)
	case bool:
		v, ok := value.(bool)
		if !ok {
			return false
		}
		order = truth(v) - truth(want)
	default:
		return false
	}
	switch c.Op {
	case Greater:
		return order > 0
	case GreaterOrEqual:
		return order >= 0
	case Less:
		return order < 0
	default:
		return order <= 0
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareNumbers compares exactly, by value: as float64, neighbouring large integers
// would be equal.
func compareNumbers(a, b json.Number) int {
	i, iErr := strconv.ParseInt(string(a), 10, 64)
	j, jErr := strconv.ParseInt(string(b), 10, 64)
	if iErr == nil && jErr == nil {
		return cmp.Compare(i, j)
	}
	return number(a, i, iErr == nil).Cmp(number(b, j, jErr == nil))
}

// number returns n, which is i if whole; one beyond float64 is infinite.
func number(n json.Number, i int64, whole bool) *big.Float {
	if whole {
		return new(big.Float).SetInt64(i)
	}
	f, _ := strconv.ParseFloat(string(n), 64)
	return big.NewFloat(f)
}
