// Package random makes documents and queries that meet each other often enough to find where
// a backend's own operators differ from the meaning of package query.
package random

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	wire "krt.dev/kn-krt/pkg/runner/store"
	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

// Source is a source of documents and queries.
type Source struct{ *rand.Rand }

func one[T any](s Source, values ...T) T { return values[s.IntN(len(values))] }

func (s Source) key() string { return one(s, "a", "b", "c", "0", "1", "a b", "ключ") }

func (s Source) scalar() any {
	return one[any](s, nil, true, false, json.Number("0"), json.Number("1"), json.Number("1.0"), json.Number("-1.5"), json.Number("1e2"),
		json.Number("9007199254740992"), json.Number("9007199254740993"), json.Number("1e300"), json.Number("0.1"),
		"", "a", "b", "ab", "B", "a\nb", "é", "word and word", "\U0001F600", `"\'`)
}

// Value is a value of a document or of an equality, nested at most so deep.
func (s Source) value(depth int) any {
	if depth == 0 || s.IntN(3) == 0 {
		return s.scalar()
	}
	if s.IntN(2) == 0 {
		list := make([]any, s.IntN(4))
		for i := range list {
			list[i] = s.value(depth - 1)
		}
		return list
	}
	return s.object(depth)
}

func (s Source) object(depth int) map[string]any {
	object := map[string]any{}
	for range s.IntN(4) {
		object[s.key()] = s.value(depth - 1)
	}
	return object
}

func (s Source) path() string {
	path := s.key()
	for s.IntN(2) == 0 {
		path += "." + s.key()
	}
	return path
}

func (s Source) pattern() string {
	return one(s, "a", "^a", "b$", "^$", "^a.b$", "a|B", "[^a]", "[A-Z]", `\bword\b`, `\Bd`, `w\w+d`,
		"(a)(b)?", "a{1,2}", `\d`, "é", ".", `\W`, "(?i)AB",
		"[[:upper:]]", `\x{1F600}`, `^[^\n]+$`, `a\s+b`, `(?:a|word)+ `, `"`, `\\`, `\pL`)
}

func (s Source) values() []any {
	list := make([]any, s.IntN(4))
	for i := range list {
		list[i] = s.value(1)
	}
	return list
}

func (s Source) operators(depth int) map[string]any {
	operators := map[string]any{}
	for range 1 + s.IntN(2) {
		name := one(s, "$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$regex", "$elemMatch", "$size", "$all", "$not")
		if value := s.operand(name, depth); value != nil {
			operators[name] = value
		}
		if name == "$regex" {
			operators["$options"] = one(s, "", "i", "m", "s", "ims")
		}
	}
	if len(operators) == 0 {
		operators["$eq"] = s.scalar()
	}
	return operators
}

// operand is a value for an operator; nil where there is none that is valid.
func (s Source) operand(name string, depth int) any {
	switch name {
	case "$eq", "$ne":
		return s.value(2)
	case "$in", "$nin", "$all":
		return s.values()
	case "$exists":
		return s.IntN(2) == 0
	case "$regex":
		return s.pattern()
	case "$size":
		return json.Number(strconv.Itoa(s.IntN(3)))
	case "$elemMatch", "$not":
		if depth == 0 {
			return nil
		}
		if name == "$not" {
			return s.operators(depth - 1)
		}
		return one[any](s, s.operators(depth-1), s.Query(depth-1), map[string]any{s.key(): s.value(1)})
	}
	return one(s, s.scalar(), any(json.Number("1")), any("a"))
}

// Query is a query, with queries in it at most so deep.
func (s Source) Query(depth int) map[string]any {
	q := map[string]any{}
	for range 1 + s.IntN(2) {
		switch kind := s.IntN(6); {
		case kind == 0 && depth > 0:
			q[one(s, "$and", "$or")] = []any{s.Query(depth - 1), s.Query(depth - 1)}
		case kind < 3:
			q[s.path()] = s.value(2)
		default:
			q[s.path()] = s.operators(depth)
		}
	}
	return q
}

// Documents saves n documents in a collection.
func (s Source) Documents(t *testing.T, b store.Documents, in store.Collection, n int) (saved []store.Document) {
	t.Helper()
	for i := range n {
		document := store.Document(s.object(4))
		document[wire.KeyID] = fmt.Sprintf("%04d", i)
		require.NoError(t, b.SaveDocument(t.Context(), store.Origin{Runtime: in.Runtime}, in.Name, document))
		saved = append(saved, document)
	}
	return saved
}

// Compare runs n queries on random documents and expects what query.Match finds.
func Compare(t *testing.T, b store.Documents, seed uint64, n int) {
	s := Source{rand.New(rand.NewPCG(seed, 1))}
	in := store.Collection{Runtime: "random", Name: "c"}
	saved := s.Documents(t, b, in, 300)
	parsed, met := 0, 0
	for range n {
		raw := s.Query(2)
		q, err := query.Parse(raw)
		if err != nil {
			continue
		}
		parsed++
		var want, got []string
		for _, document := range saved {
			if q.Match(document) {
				want = append(want, document[wire.KeyID].(string))
			}
		}
		found, err := b.FindDocuments(t.Context(), in, q, store.Page{Limit: 1000, Bytes: 1 << 24})
		text, _ := store.Encode(raw)
		require.NoError(t, err, string(text))
		for _, document := range found.Documents {
			var object map[string]any
			require.NoError(t, store.Decode(document, &object))
			got = append(got, object[wire.KeyID].(string))
		}
		if len(want) > 0 && len(want) < len(saved) {
			met++
		}
		if !equal(want, got) {
			t.Errorf("query %s: found %v, want %v", text, got, want)
			for _, document := range saved {
				if id := document[wire.KeyID].(string); has(want, id) != has(got, id) {
					text, _ := store.Encode(document)
					t.Fatalf("for example, wanted is %t: %s", has(want, id), text)
				}
			}
		}
	}
	require.Greater(t, parsed, n/2)
	t.Logf("%d of %d queries are valid, %d of them find some documents and not others", parsed, n, met)
}

func has(list []string, id string) bool {
	for _, other := range list {
		if other == id {
			return true
		}
	}
	return false
}

func equal(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
