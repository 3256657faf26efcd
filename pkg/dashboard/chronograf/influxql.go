package chronograf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// errInfluxQL is the reason for a query of another form.
var errInfluxQL = errors.New("its query is not of the form SELECT mean(field) FROM measurement WHERE tag = 'value' GROUP BY time(1m), tag")

// influxQL reads a query of the form that errInfluxQL has.
type influxQL struct {
	tokens  []token
	queries []Query
	like    Query // what all queries have in common
}

func parseInfluxQL(query string) ([]Query, error) {
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &influxQL{tokens: tokens, like: Query{Tags: map[string]string{}, Whole: true}}
	for _, part := range []func() error{p.selects, p.from, p.where, p.group, p.fill} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	if len(p.tokens) > 0 && !p.take(";") || len(p.tokens) > 0 {
		return nil, fmt.Errorf("its query has %q, which is not supported", short(join(p.tokens)))
	}
	for i, q := range p.queries {
		all := p.like
		all.Field, all.Aggregate, all.Label = q.Field, q.Aggregate, q.Label
		p.queries[i] = all
	}
	return p.queries, nil
}

// take takes the tokens if they are next.
func (p *influxQL) take(values ...string) bool {
	if len(p.tokens) < len(values) {
		return false
	}
	for i, value := range values {
		if !p.tokens[i].is(value) {
			return false
		}
	}
	p.tokens = p.tokens[len(values):]
	return true
}

// name takes a name, in double quotes or without.
func (p *influxQL) name() (string, bool) {
	if len(p.tokens) == 0 {
		return "", false
	}
	t := p.tokens[0]
	if t.kind != word && (t.kind != text || t.quote != '"') {
		return "", false
	}
	p.tokens = p.tokens[1:]
	return t.value, t.value != ""
}

// selects reads SELECT fn(field) AS name, ….
func (p *influxQL) selects() error {
	if !p.take("SELECT") {
		return errInfluxQL
	}
	for {
		fn, ok := p.name()
		if !ok || !p.take("(") {
			return errInfluxQL
		}
		aggregate := strings.ToLower(fn)
		if !computed(aggregate) {
			return fmt.Errorf("its query uses %s(), which the store does not compute", short(fn))
		}
		field, ok := p.name()
		if !ok || !p.take(")") {
			return errInfluxQL
		}
		q := Query{Field: field, Aggregate: aggregate}
		if p.take("AS") {
			if q.Label, ok = p.name(); !ok {
				return errInfluxQL
			}
		}
		p.queries = append(p.queries, q)
		if !p.take(",") {
			return nil
		}
	}
}

// from reads FROM db.policy.measurement, of which the last name counts.
func (p *influxQL) from() error {
	if !p.take("FROM") {
		return errInfluxQL
	}
	for {
		if name, ok := p.name(); ok {
			p.like.Measurement = name
		} else if len(p.tokens) == 0 || !p.tokens[0].is(".") { // db..measurement
			return errInfluxQL
		}
		if !p.take(".") {
			break
		}
	}
	if p.like.Measurement == "" {
		return errInfluxQL
	}
	return nil
}

// where reads WHERE time > … AND tag = 'value' ….
func (p *influxQL) where() error {
	if !p.take("WHERE") {
		return nil
	}
	for {
		brackets := p.take("(")
		if err := p.condition(); err != nil {
			return err
		}
		if brackets && !p.take(")") {
			return errInfluxQL
		}
		if !p.take("AND") {
			return nil
		}
	}
}

func (p *influxQL) condition() error {
	name, ok := p.name()
	if !ok || len(p.tokens) < 2 {
		return errInfluxQL
	}
	operator := p.tokens[0]
	p.tokens = p.tokens[1:]
	if strings.EqualFold(name, "time") {
		return p.time(operator)
	}
	value := p.tokens[0]
	p.tokens = p.tokens[1:]
	if !operator.is("=") || value.kind != text || value.quote != '\'' {
		return fmt.Errorf("its query compares %s in a way that is not supported", short(name))
	}
	return p.like.tag(name, value.value)
}

// time reads the rest of a condition about time: a variable of the page, or now() - 1h.
func (p *influxQL) time(operator token) error {
	lower := operator.is(">") || operator.is(">=")
	if p.take("now", "(", ")") {
		if !p.take("-") {
			return nil
		}
		if len(p.tokens) == 0 {
			return errInfluxQL
		}
		over, ok := duration(p.tokens[0].value)
		if !ok || !lower {
			return errors.New("its query has a time that is not supported")
		}
		p.like.Over, p.tokens = over, p.tokens[1:]
		return nil
	}
	for _, variable := range []string{"dashboardTime", "upperDashboardTime"} {
		if p.take(":", variable, ":") {
			return nil
		}
	}
	return errors.New("its query has a time that is not supported")
}

// group reads GROUP BY time(…), tag, ….
func (p *influxQL) group() error {
	if !p.take("GROUP", "BY") {
		return nil
	}
	for {
		if p.take("time", "(") {
			if err := p.interval(); err != nil {
				return err
			}
		} else if name, ok := p.name(); ok {
			p.like.By = append(p.like.By, name)
		} else {
			return errInfluxQL
		}
		if !p.take(",") {
			return nil
		}
	}
}

func (p *influxQL) interval() error {
	p.like.Whole = false
	if p.take(":", "interval", ":") || p.take("$", "__interval") || p.take("autoInterval") {
		if !p.take(")") {
			return errInfluxQL
		}
		return nil
	}
	if len(p.tokens) < 2 {
		return errInfluxQL
	}
	var ok bool
	p.like.Step, ok = duration(p.tokens[0].value)
	p.tokens = p.tokens[1:]
	if p.take(",") {
		ok = p.offset() && ok
	}
	if !ok || p.like.Step < time.Second || !p.take(")") {
		return errors.New("its query has an interval that is not supported")
	}
	return nil
}

// offset reads an offset of intervals, which may be negative.
func (p *influxQL) offset() (ok bool) {
	before := p.take("-")
	if len(p.tokens) == 0 {
		return false
	}
	if p.like.Offset, ok = duration(p.tokens[0].value); before {
		p.like.Offset = -p.like.Offset
	}
	p.tokens = p.tokens[1:]
	return ok
}

// fill reads FILL(null), which is what charts do.
func (p *influxQL) fill() error {
	if !p.take("FILL") {
		return nil
	}
	if p.take("(", "null", ")") || p.take("(", "none", ")") {
		return nil
	}
	return errors.New("its query fills gaps, which is not supported")
}

// computed reports whether a function, of either language, is one of the store's aggregates.
func computed(fn string) bool {
	return slices.Contains([]string{"mean", "sum", "min", "max", "count", "last"}, fn)
}
