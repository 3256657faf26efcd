package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/runner/store/query"
	"krt.dev/kn-krt/pkg/store"
)

func TestNamedFields(t *testing.T) {
	q, err := query.Parse(map[string]any{
		"a.b": "x", "c": map[string]any{"$not": map[string]any{"$gt": "x"}},
		"$or": []any{map[string]any{"d": nil}, map[string]any{"e": map[string]any{"$elemMatch": map[string]any{"f": "x"}}}},
	})
	require.NoError(t, err)
	names, ok := named(q)
	require.True(t, ok)
	for _, name := range []string{"a", "c", "d", "e"} {
		require.Contains(t, names, name)
	}
}

// FuzzFields: what is decoded of a document is what it is when all of it is.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : 1 , "b":[{"a":2},"]"]} `, `{"a":"x\"}","b":null}`, `{"\u0061":{"b":[]},"b":-1.5e3}`, `{"b":true,"a":"\\"}`,
		`{"a":"é<","b":{"a":"}"}}`, `{"a":1,"a":2}`, `[]`, `{"a":1`, `{"a":1}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var all map[string]any
		if store.Decode([]byte(text), &all) != nil || all == nil {
			return // it is not in a store
		}
		found, ok := fields([]byte(text), []string{"a", "b"})
		require.True(t, ok)
		want := map[string]any{}
		for _, name := range []string{"a", "b"} {
			if value, there := all[name]; there {
				want[name] = value
			}
		}
		require.Equal(t, want, found)
	})
}
