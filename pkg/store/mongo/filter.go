package mongo

import (
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
	"krt.dev/kn-krt/pkg/store/pattern"
)

// filter is a condition in MongoDB's language. If it is not exact, documents meet it that
// do not meet the query.
type filter struct {
	bson.D

	exact bool
}

func field(path []string, operator string, operand any) filter {
	return filter{bson.D{{Key: strings.Join(path, "."), Value: bson.D{{Key: operator, Value: operand}}}}, true}
}

// anything is met by every document, and decides nothing.
func anything() filter { return filter{bson.D{}, false} }

// compile returns q in MongoDB's language, which has nearly the meaning of package query: it
// compares objects with the order of their keys.
func (d dialect) compile(q query.Query) filter {
	parts := make([]filter, len(q))
	for i, one := range q {
		parts[i] = d.condition(one)
	}
	return join("$and", parts)
}

// join joins filters by $and or $or.
func join(operator string, parts []filter) filter {
	switch len(parts) {
	case 0:
		return filter{bson.D{}, true}
	case 1:
		return parts[0]
	}
	list, exact := bson.A{}, true
	for _, part := range parts {
		list, exact = append(list, part.D), exact && part.exact
	}
	return filter{bson.D{{Key: operator, Value: list}}, exact}
}

// not is the opposite. That of a filter that is not exact would leave out documents.
func not(f filter) filter {
	if !f.exact {
		return anything()
	}
	return filter{bson.D{{Key: "$nor", Value: bson.A{f.D}}}, true}
}

func (d dialect) condition(one query.Condition) filter {
	switch one.Op {
	case query.And, query.Or:
		parts := make([]filter, len(one.Of))
		for i, q := range one.Of {
			parts[i] = d.compile(q)
		}
		return join(string(one.Op), parts)
	case query.Not:
		return not(d.compile(one.Of[0]))
	}
	if d.differs(one.Path) {
		return anything()
	}
	switch one.Op {
	case query.NotEqual, query.NotIn:
		return not(d.some(one.Path, operands(one)))
	case query.Equal, query.In:
		return d.some(one.Path, operands(one))
	case query.All:
		return d.all(one)
	case query.ElemMatch:
		return d.elemMatch(one)
	}
	return compare(one)
}

// compare is a condition whose operand is not a value of documents, or is ordered.
func compare(one query.Condition) filter {
	switch {
	case one.Op == query.Exists || one.Op == query.Size:
		return field(one.Path, string(one.Op), one.Value)
	case isID(one.Path):
		return anything() // ObjectIds are text for those who query
	case one.Op == query.Regex:
		return regex(one)
	}
	return field(one.Path, string(one.Op), (&encoder{}).value(one.Value))
}

// differs reports whether the server finds other fields at path than a query means.
func (d dialect) differs(path []string) bool {
	return len(path) > 0 && path[0] == keyOurs || d.flat && slices.ContainsFunc(path, isOdd)
}

// operands are the values that one compares with: those of its list, or its own.
func operands(one query.Condition) []any {
	if one.Op == query.Equal || one.Op == query.NotEqual {
		return []any{one.Value}
	}
	values, _ := one.Value.([]any)
	return values
}

// isOdd reports whether a key may be the place of an element, or has what FerretDB
// does not find.
func isOdd(key string) bool {
	return key[0] >= '0' && key[0] <= '9' || strings.ContainsAny(key, "$[]'")
}

func isID(path []string) bool { return len(path) == 1 && path[0] == wire.KeyID }

// some says that the field equals one of wants, or is an array that has one.
func (d dialect) some(path []string, wants []any) filter {
	var parts []filter
	scalars, exact := bson.A{}, true
	for _, want := range wants {
		switch v := want.(type) {
		case map[string]any:
			parts = append(parts, object(path, v))
		case []any:
			parts = append(parts, d.array(path, v))
		default:
			value := (&encoder{}).value(v)
			if isID(path) && id(value) != value {
				scalars = append(scalars, id(value))
			}
			scalars, exact = append(scalars, value), exact && (v != nil || len(path) == 1)
		}
	}
	if len(scalars) > 0 || len(wants) == 0 {
		in := field(path, "$in", scalars)
		if len(scalars) == 1 {
			in = field(path, "$eq", scalars[0])
		}
		in.exact = exact
		parts = append(parts, in)
	}
	return join("$or", parts)
}

// object says that the field may be equal to an object: it has its scalars.
func object(path []string, want map[string]any) filter {
	parts := []filter{field(path, "$type", "object")}
	for key, value := range want {
		switch value.(type) {
		case nil, map[string]any, []any:
			continue
		}
		if !strings.Contains(key, ".") {
			parts = append(parts, field(append(slices.Clone(path), key), "$eq", (&encoder{}).value(value)))
		}
	}
	found := join("$and", parts)
	found.exact = false
	return found
}

// array says that the field equals an array, or has it.
func (d dialect) array(path []string, want []any) filter {
	if d.flat || slices.ContainsFunc(want, isNested) {
		found := field(path, "$type", "array")
		found.exact = false
		return found
	}
	return field(path, "$eq", (&encoder{}).value(want))
}

func isNested(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

func (d dialect) all(one query.Condition) filter {
	parts := []filter{}
	for _, value := range operands(one) {
		parts = append(parts, d.some(one.Path, []any{value}))
	}
	if len(parts) == 0 {
		return field(one.Path, "$in", bson.A{})
	}
	return join("$and", parts)
}

func regex(one query.Condition) filter {
	text, ok := pattern.Perl().Write(one.Pattern)
	if !ok || !pattern.IsPlain(one.Pattern) { // the server would try every way to match
		found := field(one.Path, "$type", "string")
		found.exact = false
		return found
	}
	return field(one.Path, "$regex", text)
}

// elemMatch says that the field is an array that may have such an element: one that has the
// fields of the query, each, or of which the values are as the query says.
func (d dialect) elemMatch(one query.Condition) filter {
	found := field(one.Path, "$type", "array")
	parts := []filter{found}
	for _, inner := range one.Of[0] {
		// What one element meets, all the elements together meet, unless it is an opposite.
		switch inner.Op {
		case query.Equal, query.In, query.Greater, query.GreaterOrEqual, query.Less, query.LessOrEqual, query.Regex:
			if len(inner.Path) > 0 && slices.ContainsFunc(operands(inner), func(v any) bool { return v == nil }) {
				continue // a field that is missing in one element
			}
			inner.Path = append(slices.Clone(one.Path), inner.Path...)
			parts = append(parts, d.condition(inner))
		}
	}
	narrowed := join("$and", parts)
	narrowed.exact = false
	return narrowed
}

// match reports whether a document meets q, unless the database has decided it exactly.
func (s *Store) match(ctx context.Context, q query.Query, document []byte, exact bool) (bool, error) {
	if exact {
		return true, nil
	}
	release, err := s.decoded.Hold(ctx, document)
	if err != nil {
		return false, err
	}
	defer release()
	var object map[string]any
	if isJSON := store.Decode(document, &object) == nil; !isJSON { // others have written it
		return false, nil
	}
	return store.Meets(ctx, q, object)
}
