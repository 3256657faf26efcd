package query

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// supported is what an error offers instead of an unknown operator.
const supported = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $regex (with $options), $elemMatch, $size, $all, $not, $and, $or"

// Parse checks a query as decoded from the wire, with numbers as json.Number. The
// conditions are in the order of their paths. The error names the field, and an operator
// that is unknown or refused.
func Parse(raw map[string]any) (Query, error) { return (&parser{}).query(raw, 0) }

type parser struct{ values int }

func (p *parser) query(raw map[string]any, depth int) (Query, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("more than %d levels of queries", MaxDepth)
	}
	var q Query
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		if op := Operator(key); op == And || op == Or {
			of, err := p.queries(op, raw[key], depth)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", op, err)
			}
			q = append(q, Condition{Op: op, Of: of})
			continue
		}
		conditions, err := p.field(key, raw[key], depth)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", key, err)
		}
		q = append(q, conditions...)
	}
	return q, nil
}

// queries reads the queries that $and or $or joins.
func (p *parser) queries(op Operator, value any, depth int) ([]Query, error) {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%s requires a list of queries that is not empty", op)
	}
	var of []Query
	for _, element := range list {
		raw, ok := element.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s requires a list of queries that is not empty", op)
		}
		if err := p.count(); err != nil {
			return nil, err
		}
		q, err := p.query(raw, depth+1)
		if err != nil {
			return nil, err
		}
		of = append(of, q)
	}
	return of, nil
}

func (p *parser) field(field string, value any, depth int) (Query, error) {
	path, err := parsePath(field)
	if err != nil {
		return nil, err
	}
	operators, ok := value.(map[string]any)
	if !ok || !hasOperator(operators) {
		return Query{{Path: path, Op: Equal, Value: value}}, p.value(value, 0)
	}
	return p.operators(path, operators, depth)
}

// operators reads what the field at path must meet.
func (p *parser) operators(path []string, operators map[string]any, depth int) (Query, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("more than %d levels of queries", MaxDepth)
	}
	var q Query
	for _, name := range slices.Sorted(maps.Keys(operators)) {
		c := Condition{Path: path, Op: Operator(name), Value: operators[name]}
		var err error
		switch c.Op {
		case Not:
			err = p.not(&c, depth)
		case ElemMatch:
			err = p.elemMatch(&c, depth)
		case Regex:
			err = c.compile(operators["$options"])
		case "$options":
			if _, ok := operators[string(Regex)]; !ok {
				return nil, fmt.Errorf("$options requires $regex")
			}
			continue
		default:
			err = p.operand(&c)
		}
		if err == nil {
			err = p.count()
		}
		if err != nil {
			return nil, err
		}
		q = append(q, c)
	}
	return q, nil
}

func (p *parser) not(c *Condition, depth int) error {
	operators, ok := c.Value.(map[string]any)
	if !ok || !hasOperator(operators) {
		return fmt.Errorf("$not requires an object of operators")
	}
	q, err := p.operators(c.Path, operators, depth+1)
	c.Value, c.Of = nil, []Query{q}
	return err
}

// elemMatch reads a query for elements that are objects, or operators for the elements
// themselves.
func (p *parser) elemMatch(c *Condition, depth int) (err error) {
	raw, ok := c.Value.(map[string]any)
	if !ok || len(raw) == 0 {
		return fmt.Errorf("$elemMatch requires an object that is not empty")
	}
	_, and := raw[string(And)]
	_, or := raw[string(Or)]
	var q Query
	if hasOperator(raw) && !and && !or {
		q, err = p.operators(nil, raw, depth+1)
	} else {
		q, err = p.query(raw, depth+1)
	}
	c.Value, c.Of = nil, []Query{q}
	return err
}

func (p *parser) operand(c *Condition) error {
	switch c.Op {
	case Greater, GreaterOrEqual, Less, LessOrEqual:
		switch c.Value.(type) {
		case json.Number, string, bool:
		default:
			return fmt.Errorf("%s requires a number, a string or a boolean", c.Op)
		}
	case In, NotIn, All:
		if _, ok := c.Value.([]any); !ok {
			return fmt.Errorf("%s requires a list", c.Op)
		}
	case Exists:
		if _, ok := c.Value.(bool); !ok {
			return fmt.Errorf("$exists requires true or false")
		}
		return nil
	case Size:
		n, _ := c.Value.(json.Number)
		size, err := strconv.ParseUint(string(n), 10, 31)
		if err != nil {
			return fmt.Errorf("$size requires an integer that is not negative")
		}
		c.Value = int(size)
		return nil
	case Equal, NotEqual:
	default:
		return unknownOperator(string(c.Op))
	}
	return p.value(c.Value, 0)
}

func (p *parser) count() error {
	if p.values++; p.values > MaxValues {
		return fmt.Errorf("more than %d values in the query", MaxValues)
	}
	return nil
}

// value checks a value compared with, and counts it.
func (p *parser) value(value any, depth int) error {
	if err := p.count(); err != nil {
		return err
	}
	if depth > MaxDepth {
		return fmt.Errorf("more than %d levels in a value", MaxDepth)
	}
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if err := p.value(element, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := checkKey(key); err != nil {
				return err
			}
			if err := p.value(v[key], depth+1); err != nil {
				return err
			}
		}
	case string:
		return checkText(v)
	}
	return nil
}

// checkText refuses strings that databases would not compare as text.
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
	switch name {
	case "$where", "$expr", "$function":
		return fmt.Errorf("operator %q is refused: a query runs no code", name)
	}
	return fmt.Errorf("unknown operator %q: supported are %s", name, supported)
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
