package chronograf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var errFlux = errors.New("its query is not of the form from() |> range() |> filter() |> aggregateWindow()")

// call is a stage of a Flux query: a function with its arguments, by name.
type call struct {
	name string
	args map[string][]token
}

// flux is what is known of the query after each of its stages.
type flux struct {
	Query
	fields []string
	// ones is true if the values are 1 each: their sum is their count.
	ones bool
	// done is true when the values are aggregated: what follows only changes the form of tables.
	done bool
	// columns are what reduce() computes; empty for one value.
	columns []column
}

// stages are the functions that are understood.
func stages() map[string]func(*flux, call) error {
	return map[string]func(*flux, call) error{
		"from": func(*flux, call) error { return nil }, "yield": func(*flux, call) error { return nil },
		"sort": func(*flux, call) error { return nil }, "rename": func(*flux, call) error { return nil },
		"range": (*flux).span, "filter": (*flux).filter, "keep": (*flux).keep, "drop": (*flux).drop, "group": (*flux).group,
		"map": (*flux).mapped, "pivot": (*flux).pivot, "aggregateWindow": (*flux).window, "reduce": (*flux).reduce,
	}
}

func parseFlux(query string) ([]Query, error) {
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	calls, err := pipeline(tokens)
	if err != nil {
		return nil, err
	}
	// Without a stage that says otherwise there is a series for each combination of tags.
	f := &flux{Query: Query{Tags: map[string]string{}, By: []string{"workflow", "node"}}}
	known := stages()
	for _, c := range calls {
		switch stage, ok := known[c.name]; {
		case ok:
			err = stage(f, c)
		case computed(c.name) && !f.done:
			err = f.aggregate(c.name)
			f.Whole = true
		default:
			err = fmt.Errorf("its query uses %s(), which is not supported", short(c.name))
		}
		if err != nil {
			return nil, err
		}
	}
	return f.queries()
}

// pipeline splits tokens into the functions between |>.
func pipeline(tokens []token) (calls []call, err error) {
	for len(tokens) > 0 {
		c, rest, err := parseCall(tokens)
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
		if len(rest) > 0 && (!rest[0].is("|>") || len(rest) == 1) {
			return nil, errFlux
		}
		tokens = rest[min(1, len(rest)):]
	}
	if len(calls) == 0 || calls[0].name != "from" {
		return nil, errFlux
	}
	return calls, nil
}

// parseCall reads name(a: …, b: …) at the beginning of tokens.
func parseCall(tokens []token) (c call, rest []token, err error) {
	if len(tokens) < 3 || tokens[0].kind != word || !tokens[1].is("(") {
		return c, nil, errFlux
	}
	end := closing(tokens, 1)
	if end < 0 {
		return c, nil, errFlux
	}
	c = call{name: tokens[0].value, args: map[string][]token{}}
	for _, arg := range split(tokens[2:end], ",") {
		if len(arg) < 3 || arg[0].kind != word || !arg[1].is(":") {
			return c, nil, errFlux
		}
		c.args[arg[0].value] = arg[2:]
	}
	return c, tokens[end+1:], nil
}

// closing returns where the bracket at tokens[at] is closed, -1 if it is not.
func closing(tokens []token, at int) int {
	depth := 0
	for i, t := range tokens[at:] {
		if t.kind != symbol {
			continue
		}
		switch t.value {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth == 0 {
				return at + i
			}
		}
	}
	return -1
}

// split splits tokens at a separator that is in no bracket.
func split(tokens []token, separator string) (parts [][]token) {
	if len(tokens) == 0 {
		return nil
	}
	depth, from := 0, 0
	for i, t := range tokens {
		switch {
		case t.kind == symbol && strings.Contains("([{", t.value):
			depth++
		case t.kind == symbol && strings.Contains(")]}", t.value):
			depth--
		case depth == 0 && t.is(separator):
			parts = append(parts, tokens[from:i])
			from = i + 1
		}
	}
	return append(parts, tokens[from:])
}

// span reads range(start: dashboardTime) or range(start: -1h), until now or the end of the page's time.
func (f *flux) span(c call) error {
	stops := []string{"", "now()", "upperDashboardTime", "v.timeRangeStop"}
	if !slices.Contains(stops, join(c.args["stop"])) {
		return errors.New("its query has a time that is not supported")
	}
	switch start := join(c.args["start"]); {
	case start == "dashboardTime", start == "v.timeRangeStart", start == "":
	case strings.HasPrefix(start, "-"):
		over, ok := duration(start[1:])
		if !ok {
			return errors.New("its query has a time that is not supported")
		}
		f.Over = over
	default:
		return errors.New("its query has a time that is not supported")
	}
	return nil
}

// list reads ["a", "b"].
func list(tokens []token) (values []string, ok bool) {
	if len(tokens) < 2 || !tokens[0].is("[") || !tokens[len(tokens)-1].is("]") {
		return nil, false
	}
	for _, part := range split(tokens[1:len(tokens)-1], ",") {
		if len(part) != 1 || part[0].kind != text {
			return nil, false
		}
		values = append(values, part[0].value)
	}
	return values, true
}

// tagsOf are the columns that are tags.
func tagsOf(columns []string) []string {
	return slices.DeleteFunc(columns, func(c string) bool { return strings.HasPrefix(c, "_") })
}

// keep makes the tags that it keeps those of the series.
func (f *flux) keep(c call) error {
	columns, ok := list(c.args["columns"])
	if !ok {
		return errFlux
	}
	if !f.done {
		f.By = tagsOf(columns)
	}
	return nil
}

func (f *flux) drop(c call) error {
	columns, ok := list(c.args["columns"])
	if !ok {
		return errFlux
	}
	f.columns = slices.DeleteFunc(f.columns, func(c column) bool { return slices.Contains(columns, c.name) })
	if !f.done {
		f.By = slices.DeleteFunc(f.By, func(tag string) bool { return slices.Contains(columns, tag) })
	}
	return nil
}

// group makes the tags those of the series; after the aggregation it changes tables only.
func (f *flux) group(c call) error {
	if f.done {
		return nil
	}
	columns, ok := list(c.args["columns"])
	if !ok && len(c.args["columns"]) > 0 || join(c.args["mode"]) == `"except"` {
		return errFlux
	}
	if slices.Contains(columns, "_value") {
		return errors.New("its query groups by values, which is not supported")
	}
	f.By = tagsOf(columns)
	return nil
}

// pivot makes a column of each series, which charts have anyway.
func (f *flux) pivot(c call) error {
	columns, ok := list(c.args["columnKey"])
	if !ok || slices.Contains(columns, "_value") {
		return errors.New("its query has a pivot() that is not supported")
	}
	if len(f.By) == 0 && !f.done {
		f.By = tagsOf(columns)
	}
	return nil
}

func (f *flux) aggregate(fn string) error {
	if !computed(fn) {
		return fmt.Errorf("its query uses %s(), which the store does not compute", short(fn))
	}
	if f.ones {
		if fn != "sum" && fn != "count" {
			return errors.New("its query has a map() that is not supported")
		}
		fn = "count"
	}
	f.Aggregate, f.done = fn, true
	return nil
}

// queries are those that the stages came to.
func (f *flux) queries() ([]Query, error) {
	if f.Measurement == "" || len(f.fields) == 0 || slices.Contains(f.fields, "") {
		return nil, errors.New("its query does not select a measurement and a field")
	}
	if !f.done {
		return nil, errors.New("its query shows every single value, not an aggregate")
	}
	columns := f.columns
	if len(columns) == 0 {
		columns = []column{{aggregate: f.Aggregate}}
	}
	var all []Query
	for _, field := range f.fields {
		for _, c := range columns {
			q := f.Query
			q.Field, q.Aggregate, q.Label = field, c.aggregate, c.name
			all = append(all, q)
		}
	}
	return all, nil
}
