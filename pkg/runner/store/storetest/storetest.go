// Package storetest holds stores, and what stands for them in tests, to one meaning
// of queries: that of package store.
package storetest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"krt.dev/kn-krt/pkg/runner/store"
)

// queries.json has a case for each rule: a query with the documents that it finds
// and others that it does not, or with the error that refuses it by name. A store
// in another language is asked by a process: pkg/pyrunner tests that of krt.testing.
//
//go:embed queries.json
var queries []byte

// Find saves the documents in a collection that has no others, and returns those
// that the query finds, in the order in which they were saved.
type Find func(t *testing.T, documents []json.RawMessage, query json.RawMessage) ([]json.RawMessage, error)

// Queries runs all cases. The documents found must have an id, and else be as they
// were saved.
func Queries(t *testing.T, find Find) {
	t.Helper()
	var cases []struct {
		Query         json.RawMessage
		Found, Others []json.RawMessage
		Error         string
	}
	if err := json.Unmarshal(queries, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(string(c.Query), func(t *testing.T) {
			found, err := find(t, slices.Concat(c.Found, c.Others), c.Query)
			switch {
			case c.Error != "":
				if err == nil || !strings.Contains(err.Error(), c.Error) {
					t.Errorf("the error is %v, want %q in it", err, c.Error)
				}
			case err != nil:
				t.Error(err)
			case len(found) != len(c.Found):
				t.Errorf("found %s, want %s", found, c.Found)
			default:
				for i := range found {
					compare(t, found[i], c.Found[i])
				}
			}
		})
	}
}

// compare expects a document to be as it was saved, with an id.
func compare(t *testing.T, found, saved json.RawMessage) {
	t.Helper()
	got, want := object(t, found), object(t, saved)
	id, given := want[store.KeyID]
	if got[store.KeyID] == nil || given && !reflect.DeepEqual(got[store.KeyID], id) {
		t.Errorf("the id of %s is %v", saved, got[store.KeyID])
	}
	same := func(a, b map[string]any) bool {
		a, b = maps.Clone(a), maps.Clone(b)
		delete(a, store.KeyID)
		delete(b, store.KeyID)
		return reflect.DeepEqual(a, b)
	}
	if !same(got, want) {
		t.Errorf("found %s, want %s", found, saved)
	}
}

// object decodes a document. Integers are compared as they are written, other numbers
// by value: a store in another language may write 1e0 as 1.0.
func object(t *testing.T, text json.RawMessage) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return byValue(object).(map[string]any)
}

func byValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = byValue(v[key])
		}
	case []any:
		for i := range v {
			v[i] = byValue(v[i])
		}
	case json.Number:
		if number, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
			return number
		}
	}
	return value
}

// Refused are documents, as JSON, that every store refuses, and with which words.
func Refused() map[string]string {
	const half = " half of a surrogate pair, which is not a character"
	return map[string]string{
		`{"_id":[1]}`:                        "data: an _id cannot be an array",
		`{"_id":9223372036854775808}`:        "data: the _id has the number 9223372036854775808, which is beyond 64 bits",
		`{"_id":{"a":-9223372036854775809}}`: "data: the _id has the number -9223372036854775809, which is beyond 64 bits",
		`{"_id":"\ud800"}`:                   "data._id: it has" + half,
		`{"a":"x\udc00"}`:                    "data.a: it has" + half,
		`{"a":[{"b":["\ud800\ud800"]}]}`:     "data.a.0.b.0: it has" + half,
		`{"a":{"b\ud800":1}}`:                "data.a: a key has" + half,
	}
}
