package chronograf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// function returns the body of (r) => …, without brackets around it.
func function(tokens []token, parameters string) ([]token, bool) {
	arrow := slices.IndexFunc(tokens, func(t token) bool { return t.is("=>") })
	if arrow < 0 || join(tokens[:arrow]) != parameters {
		return nil, false
	}
	return unbracket(tokens[arrow+1:]), true
}

// unbracket removes brackets around all of tokens. It reads them once: there may be thousands.
func unbracket(tokens []token) []token {
	var opened []int
	around := map[int]bool{} // where brackets begin that end as far from the end
	for i, t := range tokens {
		switch {
		case t.is("("):
			opened = append(opened, i)
		case t.is(")") && len(opened) > 0:
			begin := opened[len(opened)-1]
			opened = opened[:len(opened)-1]
			around[begin] = begin == len(tokens)-1-i
		}
	}
	n := 0
	for around[n] {
		n++
	}
	return tokens[n : len(tokens)-n]
}

// filter reads filter(fn: (r) => r._measurement == "m" and r._field == "f" and r.tag == "v").
func (f *flux) filter(c call) error {
	body, ok := function(c.args["fn"], "(r)")
	if !ok || f.done {
		return errFlux
	}
	return f.all(body, 0)
}

// all reads conditions that are joined by and.
func (f *flux) all(tokens []token, depth int) error {
	const maxDepth = 8
	parts := split(tokens, "and")
	if len(parts) == 1 {
		if inner := unbracket(tokens); len(inner) < len(tokens) && depth < maxDepth {
			return f.all(inner, depth+1)
		}
		return f.some(tokens)
	}
	for _, part := range parts {
		if err := f.all(part, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// some reads a condition, or several about the field that are joined by or.
func (f *flux) some(tokens []token) error {
	parts := split(tokens, "or")
	for _, part := range parts {
		column, value, ok := equality(unbracket(part))
		switch {
		case !ok:
			return fmt.Errorf("its query has the condition %q, which is not supported", short(join(part)))
		case column == "_field":
			f.fields = append(f.fields, value)
		case len(parts) > 1:
			return errors.New("its query has an or, which is supported for _field only")
		case column == "_measurement" && f.Measurement == "":
			f.Measurement = value
		case column[0] == '_':
			return fmt.Errorf("its query has the condition %q, which is not supported", short(join(part)))
		default:
			if err := f.tag(column, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// tag adds the value that a tag must have. A second one would take the place of the first, and show what
// the query does not select.
func (q *Query) tag(name, value string) error {
	if former, ok := q.Tags[name]; ok && former != value {
		return fmt.Errorf("its query compares %s with two values, which is not supported", short(name))
	}
	q.Tags[name] = value
	return nil
}

// equality reads r.column == "value" or r["column"] == "value".
func equality(tokens []token) (column, value string, ok bool) {
	at := slices.IndexFunc(tokens, func(t token) bool { return t.is("==") })
	if at < 0 || len(tokens) != at+2 || tokens[at+1].kind != text || !tokens[0].is("r") {
		return "", "", false
	}
	switch {
	case at == 3 && tokens[1].is("."):
		column = tokens[2].value
	case at == 4 && tokens[1].is("[") && tokens[2].kind == text && tokens[3].is("]"):
		column = tokens[2].value
	}
	return column, tokens[at+1].value, column != ""
}

// mapped reads a map() that makes a 1 of each value, which counts them, or, after reduce(), one that
// divides a sum by a count. Afterwards it may only choose the order of columns.
func (f *flux) mapped(c call) error {
	body, ok := function(c.args["fn"], "(r)")
	if !ok {
		return errFlux
	}
	if !f.done {
		return f.counted(body)
	}
	for _, m := range record(body) {
		sum, count, divides := strings.Cut(m.expression, "/")
		switch {
		case with(body) && divides && f.computes(sum) == "sum" && f.computes(count) == "count":
			f.columns = append(f.columns, column{m.name, "mean"})
		case with(body) || !isColumn(m.expression):
			return errMap
		}
	}
	return nil
}

// counted reads { r with _value: 1 }.
func (f *flux) counted(body []token) error {
	members := record(body)
	f.ones = len(members) == 1 && with(body) && (members[0] == member{"_value", "1"} || members[0] == member{"_value", "1.0"})
	if !f.ones {
		return errMap
	}
	return nil
}

// isColumn reports whether an expression is r.column.
func isColumn(expression string) bool {
	name, ok := strings.CutPrefix(expression, "r.")
	return ok && !strings.ContainsAny(name, "./*+-(")
}

var errMap = errors.New("its query has a map() that is not supported")

// column is a value of reduce() by its name.
type column struct{ name, aggregate string }

// computes is the aggregate of the column that r.name refers to.
func (f *flux) computes(expression string) string {
	for _, c := range f.columns {
		if expression == "r."+c.name {
			return c.aggregate
		}
	}
	return ""
}

// with reports whether a record keeps the columns that there are: { r with … }.
func with(body []token) bool {
	return len(body) > 3 && body[1].is("r") && body[2].is("with")
}

// member is a member of a record.
type member struct{ name, expression string }

// record returns the members of { a: …, b: … }, in order.
func record(body []token) (members []member) {
	if len(body) < 3 || !body[0].is("{") || closing(body, 0) != len(body)-1 {
		return nil
	}
	inner := body[1 : len(body)-1]
	if with(body) {
		inner = inner[2:]
	}
	for _, part := range split(inner, ",") {
		if len(part) < 3 || !part[1].is(":") {
			return nil
		}
		members = append(members, member{part[0].value, join(part[2:])})
	}
	return members
}

// reduce reads the form that the original's template has: least, greatest, sum and number of values.
func (f *flux) reduce(c call) error {
	body, ok := function(c.args["fn"], "(r,accumulator)")
	members := record(body)
	if !ok || len(members) == 0 || f.done {
		return errors.New("its query has a reduce() that is not supported")
	}
	for _, m := range members {
		own := "accumulator." + m.name
		aggregate := map[string]string{
			"if r._value<" + own + " then r._value else " + own: "min",
			"if r._value>" + own + " then r._value else " + own: "max",
			"r._value+" + own: "sum", own + "+r._value": "sum",
			own + "+1.0": "count", "1.0+" + own: "count", own + "+1": "count", "1+" + own: "count",
		}[m.expression]
		if aggregate == "" {
			return errors.New("its query has a reduce() that is not supported")
		}
		f.columns = append(f.columns, column{m.name, aggregate})
	}
	f.done, f.Whole, f.Aggregate = true, true, "sum"
	return nil
}
