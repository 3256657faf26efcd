package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a query. A store is shared, so every query is limited.
const (
	MaxQueryValues = 256 // values in the whole query
	MaxQueryDepth  = 8   // objects and arrays within a value
	MaxPathKeys    = 16  // keys joined by dots
)

// Operator is how a field of a document is compared.
type Operator string

// The operators, with MongoDB's meaning. Equal is that of a field without an operator.
const (
	Equal          Operator = ""
	NotEqual       Operator = "$ne"
	Greater        Operator = "$gt"
	GreaterOrEqual Operator = "$gte"
	Less           Operator = "$lt"
	LessOrEqual    Operator = "$lte"
	In             Operator = "$in"
)

// Condition compares one field.
type Condition struct {
	// Path is the keys of the field, which a query joins by dots.
	Path []string
	// Op is the comparison.
	Op Operator
	// Value is compared with the field. It is as encoding/json decodes it, with numbers
	// as json.Number; for In it is a list.
	Value any
}

// Query is a list of conditions, all of which a document must meet.
//
// The meaning is MongoDB's: a field that holds an array meets a condition if
// one of its elements does, or, for equality, if the whole does; $ne is the
// opposite of equality; null equals a missing field; numbers compare by value,
// and only values of the same type are ordered. The differences are: paths go through
// objects only, not through arrays; objects are equal in any order of their keys; only
// numbers, strings and booleans can be ordered.
type Query []Condition

// ParseQuery checks a query as decoded from the wire, with numbers as json.Number. The
// conditions are in the order of their paths. The error names the field, and an unknown
// operator.
func ParseQuery(raw map[string]any) (Query, error) {
	p := &parser{}
	var q Query
	for _, field := range slices.Sorted(maps.Keys(raw)) {
		conditions, err := p.field(field, raw[field])
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", field, err)
		}
		q = append(q, conditions...)
	}
	return q, nil
}

type parser struct{ values int }

func (p *parser) field(field string, value any) (Query, error) {
	path, err := parsePath(field)
	if err != nil {
		return nil, err
	}
	operators, ok := value.(map[string]any)
	if !ok || !hasOperator(operators) {
		return Query{{Path: path, Value: value}}, p.value(value, 0)
	}
	var q Query
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		c := Condition{Path: path, Op: Operator(name), Value: operators[name]}
		if err := p.operand(c); err != nil {
			return nil, err
		}
		q = append(q, c)
	}
	return q, nil
}

func (p *parser) operand(c Condition) error {
	switch c.Op {
	case Greater, GreaterOrEqual, Less, LessOrEqual:
		switch c.Value.(type) {
		case json.Number, string, bool:
		default:
			return fmt.Errorf("%s requires a number, a string or a boolean", c.Op)
		}
	case In:
		if _, ok := c.Value.([]any); !ok {
			return fmt.Errorf("%s requires a list", c.Op)
		}
	case NotEqual:
	default:
		return unknownOperator(string(c.Op))
	}
	return p.value(c.Value, 0)
}

// value checks a value compared with, and counts it.
func (p *parser) value(value any, depth int) error {
	if p.values++; p.values > MaxQueryValues {
		return fmt.Errorf("more than %d values in the query", MaxQueryValues)
	}
	if depth > MaxQueryDepth {
		return fmt.Errorf("more than %d levels in a value", MaxQueryDepth)
	}
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if err := p.value(element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, member := range v {
			if err := checkKey(key); err != nil {
				return err
			}
			if err := p.value(member, depth+1); err != nil {
				return err
			}
		}
	case string:
		return checkText(v)
	}
	return nil
}

// checkText refuses strings that SQLite would not compare as text.
func checkText(s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%q is not text", s)
	}
	return nil
}

func hasOperator(m map[string]any) bool {
	for key := range m {
		if strings.HasPrefix(key, "$") {
			return true
		}
	}
	return false
}

func unknownOperator(name string) error {
	return fmt.Errorf("unknown operator %q: a field has one or more of $gt, $gte, $lt, $lte, $in, $ne", name)
}

func parsePath(field string) ([]string, error) {
	path := strings.Split(field, ".")
	if len(path) > MaxPathKeys {
		return nil, fmt.Errorf("more than %d keys", MaxPathKeys)
	}
	for _, key := range path {
		if err := checkKey(key); err != nil {
			return nil, err
		}
	}
	return path, nil
}

// checkKey refuses operators, and keys that a path cannot name unambiguously.
func checkKey(key string) error {
	if strings.HasPrefix(key, "$") {
		return unknownOperator(key)
	}
	odd := func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r == 0x7f || r == utf8.RuneError }
	if key == "" || strings.ContainsFunc(key, odd) {
		return fmt.Errorf("key %q cannot be searched for", key)
	}
	return nil
}
