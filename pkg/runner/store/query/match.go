package query

import (
	"cmp"
	"context"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
)

// Match reports whether document, decoded with numbers as json.Number, meets q.
func (q Query) Match(document map[string]any) bool {
	return (&search{ctx: context.Background()}).query(q, document)
}

// MatchContext is Match until ctx is done, whose error it then returns: large documents and
// slow patterns may take minutes.
func (q Query) MatchContext(ctx context.Context, document map[string]any) (bool, error) {
	s := &search{ctx: ctx}
	met := s.query(q, document)
	return met && s.err == nil, s.err
}

func (s *search) query(q Query, value any) bool {
	for _, c := range q {
		if !s.condition(c, value) {
			return false
		}
	}
	return true
}

func (s *search) condition(c Condition, value any) bool {
	if s.ended() {
		return false
	}
	switch c.Op {
	case And:
		return !slices.ContainsFunc(c.Of, func(q Query) bool { return !s.query(q, value) })
	case Or:
		return slices.ContainsFunc(c.Of, func(q Query) bool { return s.query(q, value) })
	case Not:
		return !s.query(c.Of[0], value)
	case NotEqual:
		return !s.some(c, value, c.Value)
	case NotIn:
		return !s.in(c, value)
	case Equal:
		return s.some(c, value, c.Value)
	case In:
		return s.in(c, value)
	case All:
		list, _ := c.Value.([]any)
		return len(list) > 0 && !slices.ContainsFunc(list, func(want any) bool { return !s.some(c, value, want) })
	default:
		return s.there(c, value)
	}
}

// there reports whether the field is there as c requires, or is and meets a comparison that
// has no opposite.
func (s *search) there(c Condition, value any) bool {
	if c.Op == Exists {
		return visit(value, c.Path, func(_ any, found bool) bool { return found || s.ended() }) == c.Value
	}
	return visit(value, c.Path, func(v any, found bool) bool { return found && s.compares(c, v) || s.ended() })
}

// in reports whether the field equals one of a list, or holds an element that does.
func (s *search) in(c Condition, value any) bool {
	list, _ := c.Value.([]any)
	return slices.ContainsFunc(list, func(want any) bool { return s.some(c, value, want) })
}

// some reports whether the field equals want, or is an array that has it.
func (s *search) some(c Condition, value, want any) bool {
	return visit(value, c.Path, func(v any, found bool) bool {
		if s.ended() {
			return true
		}
		if !found {
			return want == nil
		}
		return equal(v, want) || slices.ContainsFunc(c.elements(v), func(e any) bool { return equal(e, want) || s.ended() })
	})
}

// compares reports whether a value that is there meets a comparison that has no opposite.
func (s *search) compares(c Condition, value any) bool {
	list, isList := value.([]any)
	switch c.Op {
	case Size:
		return isList && len(list) == c.Value
	case ElemMatch:
		return isList && slices.ContainsFunc(list, func(e any) bool { return s.element(c, e) || s.ended() })
	case Regex:
		return slices.ContainsFunc(c.elements(value), func(e any) bool {
			text, ok := e.(string)
			return ok && s.text(c.Pattern, text) || s.ended()
		})
	default:
		return slices.ContainsFunc(c.elements(value), func(e any) bool { return c.ordered(e) || s.ended() })
	}
}

// element reports whether an element of an array meets ElemMatch. Fields are those of an
// object.
func (s *search) element(c Condition, value any) bool {
	_, isObject := value.(map[string]any)
	return (isObject || c.Of[0].ofValues()) && s.query(c.Of[0], value)
}

// ofValues reports whether q is about a value itself, not about fields of it.
func (q Query) ofValues() bool {
	return len(q) > 0 && q[0].Op != And && q[0].Op != Or && len(q[0].Path) == 0
}

// visit calls each for every value that path leads to, until it returns true. A field that
// is missing is not found; an array of no objects leads nowhere.
func visit(value any, path []string, each func(value any, found bool) bool) bool {
	if len(path) == 0 {
		return each(value, true)
	}
	switch v := value.(type) {
	case map[string]any:
		member, found := v[path[0]]
		if !found {
			return each(nil, false)
		}
		return visit(member, path[1:], each)
	case []any:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(v) && strconv.Itoa(i) == path[0] {
			if visit(v[i], path[1:], each) {
				return true
			}
		}
		return slices.ContainsFunc(v, func(element any) bool {
			object, ok := element.(map[string]any)
			return ok && visit(object, path, each)
		})
	}
	return each(nil, false)
}

// Scalars calls each for the numbers, strings and booleans that the field at path equals in
// document, for an index of them.
func Scalars(document map[string]any, path []string, each func(value any)) {
	c := Condition{Path: path}
	visit(document, path, func(v any, _ bool) bool {
		for _, element := range c.elements(v) {
			switch element.(type) {
			case json.Number, string, bool:
				each(element)
			}
		}
		return false
	})
}

// elements are what a condition may be met by: the value itself, or the elements
// of a field that is an array.
func (c Condition) elements(value any) []any {
	if list, ok := value.([]any); ok && len(c.Path) > 0 {
		return list
	}
	return []any{value}
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
